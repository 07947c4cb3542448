namespace Simulator.Jobs;

/// <summary>
/// When each job was asked for first, which is when its story begins. Beyond 200,000 jobs the oldest is forgotten, and
/// begins anew when it is asked for again.
/// </summary>
internal sealed class FirstAsked(TimeProvider clock)
{
    private const int Kept = 200_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string WorkflowId, string JobId), DateTimeOffset> _times = [];
    private readonly Queue<(string WorkflowId, string JobId)> _order = new();

    public DateTimeOffset Of(string workflowId, string jobId)
    {
        lock (_lock)
        {
            if (_times.TryGetValue((workflowId, jobId), out DateTimeOffset known))
                return known;

            if (_order.Count == Kept)
                _times.Remove(_order.Dequeue());
            _order.Enqueue((workflowId, jobId));
            return _times[(workflowId, jobId)] = clock.GetUtcNow();
        }
    }
}
