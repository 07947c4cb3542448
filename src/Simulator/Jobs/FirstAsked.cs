namespace Simulator.Jobs;

/// <summary>
/// The time of the first request for each job, which starts the job. Beyond 200,000 jobs the oldest is forgotten, and
/// starts again with the next request.
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
