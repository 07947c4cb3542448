namespace Gateway.Upstream;

/// <summary>
/// What a node has to tell of an account's calls, until it was heard. It is not safe for several threads.
/// </summary>
internal sealed class CallNews(TimeProvider clock)
{
    private const int KeptEnds = 1_000;

    private readonly List<(EndedCall End, long Sent)> _ended = [];
    private TimeSpan _late;
    private volatile string[] _known = [];
    private TaskCompletionSource? _told;

    /// <summary>Ends when what there is to tell now was told.</summary>
    public Task Told => (_told ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Fingerprints of the credentials that were told of last; any thread may ask.</summary>
    public IReadOnlyList<string> KnownCredentials => _known;

    /// <param name="sent">When the call was sent, as a timestamp of the clock.</param>
    public void Add(EndedCall end, long sent)
    {
        if (_ended.Count < KeptEnds) _ended.Add((end, sent));
    }

    /// <summary>A call went out so long after it might.</summary>
    public void Add(TimeSpan late) => _late = late > _late ? late : _late;

    /// <summary>What is to be told, and what is to end when it was, where somebody waits for that.</summary>
    public (NodeReport Report, TaskCompletionSource? Told) Take(
        string node, Dictionary<string, int> underWay, WaitingCalls[] waiting, string[] credentials)
    {
        EndedCall[] ended = [.. _ended.Select(one =>
            one.End with { Age = clock.GetElapsedTime(one.Sent).TotalMicroseconds })];
        var report = new NodeReport(node, underWay.Values.Sum(), waiting, ended, credentials)
        {
            UnderWayByTeam = new Dictionary<string, int>(underWay, StringComparer.Ordinal),
            Replaced = _known.Length == 0 || credentials.AsSpan().SequenceEqual(_known) ? [] : [.. credentials.Except(_known)],
            Late = _late,
        };
        var told = _told;
        (_late, _told) = (TimeSpan.Zero, null);
        return (report, told);
    }

    /// <summary>That was heard.</summary>
    public void Heard(NodeReport report)
    {
        _ended.RemoveRange(0, report.Ended.Length);
        _known = report.Credentials;
    }

    /// <summary>That was not, and whoever waits for it waits for the next time.</summary>
    public void NotHeard(NodeReport report, TaskCompletionSource? told)
    {
        Add(report.Late);
        if (told is not null) _ = Told.ContinueWith(_ => told.TrySetResult(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    /// <summary>There is nobody to tell.</summary>
    public void Forget() => _ended.Clear();
}
