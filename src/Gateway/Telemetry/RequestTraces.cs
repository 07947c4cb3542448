using System.Diagnostics;

namespace Gateway.Telemetry;

/// <summary>
/// The trace of a request (W3C Trace Context) if no exporter of traces is configured. Problems and log lines contain
/// its id, and forwarded requests pass it on.
/// </summary>
internal static class RequestTraces
{
    public static void UseTraces(this WebApplication app) =>
        app.Use((http, next) => Activity.Current is null ? TraceAsync(http, next) : next(http));

    /// <summary>Returns the trace id of a request without an activity: the caller's, or a new one.</summary>
    public static ActivityTraceId TraceIdOf(HttpContext http) => Activity.Current?.TraceId
        ?? (TryReadParent(http, out var parent) ? parent.TraceId : ActivityTraceId.CreateRandom());

    private static async Task TraceAsync(HttpContext http, RequestDelegate next)
    {
        using var activity = new Activity("Gateway.Request");
        if (TryReadParent(http, out var parent))
        {
            activity.SetParentId(parent.TraceId, parent.SpanId, parent.TraceFlags);
            activity.TraceStateString = parent.TraceState;
        }
        activity.Start();
        await next(http);
    }

    private static bool TryReadParent(HttpContext http, out ActivityContext context)
    {
        context = default;
        var headers = http.Request.Headers;
        return headers.TraceParent is [var parent]
            && ActivityContext.TryParse(parent, headers.TraceState, isRemote: true, out context);
    }
}
