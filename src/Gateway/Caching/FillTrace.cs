using System.Diagnostics;
using Gateway.Telemetry;

namespace Gateway.Caching;

/// <summary>
/// The span of one fill. It is the root of a trace of its own, because a fill belongs to no request; its calls to the
/// upstream are its children. Each request that waits for the fill links to it. If
/// <c>Upstream:PropagateTraceContext</c> is on, the span belongs to the trace of the request that began the fill
/// instead.
/// </summary>
internal sealed class FillTrace : IDisposable
{
    private static readonly ActivitySource Source = new(OtlpExport.SourceName);

    private readonly Lock _lock = new();
    private readonly JobKey _key;
    private readonly ActivityContext _parent;
    private bool _isBegun;
    private Activity? _activity;

    private FillTrace(JobKey key, ActivityContext parent) => (_key, _parent) = (key, parent);

    /// <summary>Returns the trace of a fill that this request may begin; null if there is nothing to trace.</summary>
    /// <param name="propagates">Whether the fill belongs to the trace of the request.</param>
    public static FillTrace? Of(JobKey key, bool propagates)
    {
        var parent = propagates ? Activity.Current?.Context ?? default : default;
        return Source.HasListeners() || parent != default ? new FillTrace(key, parent) : null;
    }

    /// <summary>Makes the fill's span the current one.</summary>
    public void Enter() => Activity.Current = Begin();

    /// <summary>Notes that the fill brought no job.</summary>
    public void Fail(string detail) => Begin()?.SetStatus(ActivityStatusCode.Error, detail);

    /// <summary>Ends the span.</summary>
    public void Dispose() => _activity?.Dispose();

    /// <summary>Links the span of the current request to the fill that it waits for.</summary>
    public void Link()
    {
        if (Activity.Current is { IsAllDataRequested: true } request && Begin() is { } fill)
        {
            request.AddLink(new ActivityLink(fill.Context));
        }
    }

    // The first caller begins the span: the fill itself, or a request, which must be able to link to the fill at once.
    private Activity? Begin()
    {
        lock (_lock)
        {
            if (_isBegun) return _activity;
            _isBegun = true;
            var current = Activity.Current;
            Activity.Current = null;
            _activity = Source.StartActivity("fill", ActivityKind.Internal, _parent);
            // Without a listener, only the context is passed on.
            if (_activity is null && _parent != default)
            {
                _activity = new Activity("fill");
                _activity.SetParentId(_parent.TraceId, _parent.SpanId, _parent.TraceFlags);
                _activity.TraceStateString = _parent.TraceState;
                _activity.Start();
            }
            _activity?.SetTag(MetricTags.Account, _key.Account)
                .SetTag("gateway.workflow.id", _key.Address.Workflow).SetTag("gateway.job.id", _key.Address.Job);
            Activity.Current = current;
            return _activity;
        }
    }
}
