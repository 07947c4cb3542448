namespace Simulator;

/// <summary>
/// The calls that the simulator has received. A call is counted when it arrives. It is listed in <see cref="Calls"/>
/// when its status is decided, before the first byte of the answer is sent.
/// </summary>
internal sealed class Ledger
{
    private const int KeptCalls = 100_000;
    private const int KeptUnexpected = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string WorkflowId, string JobId), int> _counts = [];
    private readonly Dictionary<string, int> _jobCounts = [];
    private readonly Queue<Call> _calls = new();
    private readonly Queue<string> _unexpected = new();
    private int _total;

    /// <summary>The number of calls to the documented operation, with any method and any answer.</summary>
    public int Total { get { lock (_lock) return _total; } }

    /// <summary>The newest 100,000 calls, oldest first.</summary>
    public IReadOnlyList<Call> Calls { get { lock (_lock) return [.. _calls]; } }

    /// <summary>
    /// Requests that a gateway must not send: another path or method, a query string on the operation, or a header that
    /// must not pass a gateway. The list holds the newest 10,000, such as <c>POST /foo</c>.
    /// </summary>
    public IReadOnlyList<string> Unexpected { get { lock (_lock) return [.. _unexpected]; } }

    /// <summary>Calls for each job, keyed <c>workflow/job</c>.</summary>
    public IReadOnlyDictionary<string, int> PerJob
    {
        get
        {
            lock (_lock)
                return _counts.ToDictionary(count => $"{count.Key.WorkflowId}/{count.Key.JobId}", count => count.Value);
        }
    }

    public int CallsFor(string jobId)
    {
        lock (_lock)
            return _jobCounts.GetValueOrDefault(jobId);
    }

    public int CallsFor(string workflowId, string jobId)
    {
        lock (_lock)
            return _counts.GetValueOrDefault((workflowId, jobId));
    }

    public void Clear()
    {
        lock (_lock)
        {
            _total = 0;
            _counts.Clear();
            _jobCounts.Clear();
            _calls.Clear();
            _unexpected.Clear();
        }
    }

    public void Arrived(string workflowId, string jobId)
    {
        lock (_lock)
        {
            _total++;
            _counts[(workflowId, jobId)] = _counts.GetValueOrDefault((workflowId, jobId)) + 1;
            _jobCounts[jobId] = _jobCounts.GetValueOrDefault(jobId) + 1;
        }
    }

    public void Answered(Call call)
    {
        lock (_lock)
            Keep(_calls, call, KeptCalls);
    }

    public void Objected(string request)
    {
        lock (_lock)
            Keep(_unexpected, request, KeptUnexpected);
    }

    private static void Keep<T>(Queue<T> queue, T item, int kept)
    {
        queue.Enqueue(item);
        if (queue.Count > kept)
            queue.Dequeue();
    }
}
