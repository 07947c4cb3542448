using Gateway.Jobs;

namespace Gateway.Upstream;

/// <summary>The result of waiting in the queue: a permit, or a fault.</summary>
/// <param name="Permit">Null: the call may not go out.</param>
/// <param name="RetryAfter">When the caller may try again, if the call may not go out.</param>
internal readonly record struct QueueResult(
    CallPermit? Permit, UpstreamFault Fault = UpstreamFault.None, TimeSpan RetryAfter = default);

/// <summary>
/// The calls of one account that wait on this node, in a line for each rank and team. The queue is not safe for
/// several threads.
/// </summary>
internal sealed class CallQueue
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(1);

    private readonly Dictionary<(CallRank Rank, string Team), LinkedList<Waiter>> _lines = [];
    private readonly Dictionary<JobAddress, Waiter> _byJob = [];
    // When the caller that was turned away last may try again, by team.
    private readonly Dictionary<string, double> _lastRetry = new(StringComparer.Ordinal);

    public int Count { get; private set; }

    /// <summary>The number of teams whose calls wait.</summary>
    public int Teams => _lines.Keys.Select(line => line.Team).Distinct(StringComparer.Ordinal).Count();

    public IEnumerable<Waiter> All => _lines.Values.SelectMany(line => line).Distinct();

    public WaitingCalls[] Report() =>
        [.. _lines.Select(line => new WaitingCalls(line.Key.Rank, line.Key.Team, line.Value.Count))];

    public void Add(Waiter waiter)
    {
        Count++;
        _byJob[waiter.Job] = waiter;
        Join(waiter, waiter.Team);
    }

    public Waiter? Find(JobAddress job) => _byJob.GetValueOrDefault(job);

    /// <summary>Lets a call wait for one more team. The call goes out at the turn that comes first.</summary>
    /// <returns>False: it already waits for the team.</returns>
    public bool Join(Waiter waiter, string team)
    {
        if (waiter.Places.Exists(place => place.Line.Team == team)) return false;
        var line = (waiter.Rank, team);
        if (!_lines.TryGetValue(line, out var waiters)) _lines[line] = waiters = new LinkedList<Waiter>();
        waiter.Places.Add((line, waiters.AddLast(waiter)));
        return true;
    }

    /// <summary>Takes the call of a line that has waited longest.</summary>
    public Waiter? Take(CallRank rank, string team)
    {
        if (!_lines.TryGetValue((rank, team), out var line)) return null;
        var waiter = line.First!.Value;
        Remove(waiter);
        return waiter;
    }

    /// <summary>Takes a call of the first rank that any call has.</summary>
    public Waiter? TakeAny()
    {
        if (_lines.Count == 0) return null;
        var (rank, team) = _lines.Keys.MinBy(line => line.Rank);
        return Take(rank, team);
    }

    /// <returns>False: the call no longer waits.</returns>
    public bool Remove(Waiter waiter)
    {
        if (waiter.Places.Count == 0) return false;
        foreach (var (line, place) in waiter.Places)
        {
            _lines[line].Remove(place);
            if (_lines[line].Count == 0) _lines.Remove(line);
        }
        waiter.Places.Clear();
        if (Find(waiter.Job) == waiter) _byJob.Remove(waiter.Job);
        Count--;
        return true;
    }

    /// <summary>
    /// The call to turn away if too many wait: the newest one of the team with most calls, a refresh before a first
    /// read.
    /// </summary>
    public Waiter Surplus()
    {
        var team = _lines.Where(line => line.Key.Rank != CallRank.OtherCredential).GroupBy(line => line.Key.Team)
            .MaxBy(lines => lines.Sum(line => line.Value.Count))!;
        var newest = team.MaxBy(line => line.Key.Rank).Value.Last!;
        // Prefer a call that no other team waits for.
        for (var place = newest; place is not null; place = place.Previous)
        {
            if (place.Value.Places.Count == 1) return place.Value;
        }
        return newest.Value;
    }

    /// <summary>Turns a call away. Callers of a team may try again one after the other, within a minute.</summary>
    /// <param name="spacing">The time between two of them.</param>
    /// <param name="now">The time in microseconds.</param>
    /// <returns>False: the call no longer waits.</returns>
    public bool TurnAway(Waiter waiter, UpstreamFault fault, TimeSpan spacing, double now)
    {
        if (!Remove(waiter)) return false;
        foreach (var (team, time) in _lastRetry)
        {
            if (time < now) _lastRetry.Remove(team);
        }
        var last = Math.Clamp(_lastRetry.GetValueOrDefault(waiter.Team), now, now + LongestRetry.TotalMicroseconds);
        var retry = _lastRetry[waiter.Team] = last + spacing.TotalMicroseconds;
        var retryAfter = TimeSpan.FromMicroseconds(Math.Min(retry - now, LongestRetry.TotalMicroseconds));
        return waiter.Result.TrySetResult(new QueueResult(null, fault, retryAfter));
    }

    public void TurnAllAway(UpstreamFault fault, TimeSpan retryAfter)
    {
        foreach (var waiter in All.ToList())
        {
            Remove(waiter);
            waiter.Result.TrySetResult(new QueueResult(null, fault, retryAfter));
        }
    }

    /// <summary>A call that waits.</summary>
    internal sealed class Waiter(CallRank rank, string team, JobAddress job)
    {
        public CallRank Rank => rank;

        /// <summary>The team that started the call. Others may have joined it.</summary>
        public string Team => team;

        public JobAddress Job => job;

        /// <summary>Its places, one in the line of each team.</summary>
        public List<((CallRank Rank, string Team) Line, LinkedListNode<Waiter> Place)> Places { get; } = new(1);

        public TaskCompletionSource<QueueResult> Result { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
