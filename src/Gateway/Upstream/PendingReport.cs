namespace Gateway.Upstream;

/// <summary>
/// Collects the ended calls that a node has to report, until the report is heard. Not safe for several threads.
/// </summary>
internal sealed class PendingReport(TimeProvider clock)
{
    private const int MostEnded = 1_000;

    private readonly List<(EndedCall Call, long Sent, TaskCompletionSource? Heard)> _ended = [];
    private TimeSpan _late;
    private volatile string[] _known = [];

    /// <summary>The number of ended calls to report.</summary>
    public int Count => _ended.Count;

    /// <summary>The credentials of the last report. Any thread may read them.</summary>
    public IReadOnlyList<string> KnownCredentials => _known;

    /// <param name="sent">When the call was sent, as a timestamp of the clock.</param>
    /// <param name="mustBeHeard">Whether the caller waits until the report is heard.</param>
    /// <returns>Ends when the report was heard, or cannot be heard.</returns>
    public Task Add(EndedCall call, long sent, bool mustBeHeard = false)
    {
        var heard = mustBeHeard ? new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) : null;
        if (_ended.Count < MostEnded || mustBeHeard) _ended.Add((call, sent, heard));
        return heard?.Task ?? Task.CompletedTask;
    }

    /// <summary>Records the delay between a permit and its call.</summary>
    public void AddLate(TimeSpan late) => _late = late > _late ? late : _late;

    /// <summary>Builds the report. Call <see cref="Heard"/> or <see cref="NotHeard"/> afterwards.</summary>
    public NodeReport Take(
        string node, Dictionary<string, int> underWay, WaitingCalls[] waiting, string[] credentials)
    {
        EndedCall[] ended = [.. _ended.Select(one =>
            one.Call with { Age = clock.GetElapsedTime(one.Sent).TotalMicroseconds })];
        var late = _late;
        _late = TimeSpan.Zero;
        return new NodeReport(node, new Dictionary<string, int>(underWay), waiting, ended, credentials)
        {
            Replaced = _known.Length == 0 ? [] : [.. credentials.Except(_known)],
            Late = late,
        };
    }

    public void Heard(NodeReport report)
    {
        _known = report.Credentials;
        Release(report.Ended.Length);
        _ended.RemoveRange(0, report.Ended.Length);
    }

    public void NotHeard(NodeReport report) => AddLate(report.Late);

    /// <summary>Forgets all calls, because the account is gone.</summary>
    public void Forget()
    {
        Release(_ended.Count);
        _ended.Clear();
    }

    /// <summary>Ends the wait of callers whose calls are among the first ones.</summary>
    public void Release(int count)
    {
        for (var i = 0; i < count; i++) _ended[i].Heard?.TrySetResult();
    }
}
