using System.Diagnostics;

namespace Gateway.Telemetry;

/// <summary>
/// The trace that a request belongs to (W3C Trace Context), where nobody listens to traces: problems name it, and other
/// operations of the upstream are told. What is answered from memory has none.
/// </summary>
internal static class RequestTraces
{
    public static void UseTraces(this WebApplication app) => app.Use((http, next) => Activity.Current is null ? TraceAsync(http, next) : next(http));

    private static async Task TraceAsync(HttpContext http, RequestDelegate next)
    {
        using var activity = new Activity("Gateway.Request");
        var headers = http.Request.Headers;
        if (headers.TraceParent is [var parent] && ActivityContext.TryParse(parent, headers.TraceState, isRemote: true, out var context))
        {
            activity.SetParentId(context.TraceId, context.SpanId, context.TraceFlags);
            activity.TraceStateString = context.TraceState;
        }
        activity.Start();
        await next(http);
    }
}
