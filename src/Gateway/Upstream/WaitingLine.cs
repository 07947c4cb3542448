using Gateway.Jobs;

namespace Gateway.Upstream;

/// <summary>What became of a call that waited: it goes out, or it does not.</summary>
/// <param name="Permit">Null: it does not.</param>
/// <param name="Fault">Then, why.</param>
/// <param name="RetryAfter">And when it may be asked again.</param>
internal readonly record struct Entry(CallPermit? Permit, UpstreamFault Fault = UpstreamFault.None, TimeSpan RetryAfter = default);

/// <summary>
/// The calls of one account that wait on this node, by rank and team. It is not safe for several threads.
/// </summary>
internal sealed class WaitingLine
{
    private readonly Dictionary<(CallRank Rank, string Team), LinkedList<Waiter>> _lines = [];
    private readonly Dictionary<JobAddress, Waiter> _byJob = [];

    /// <summary>How many calls wait.</summary>
    public int Count { get; private set; }

    /// <summary>The teams whose calls wait.</summary>
    public int Teams => _lines.Keys.Select(line => line.Team).Distinct(StringComparer.Ordinal).Count();

    public IEnumerable<Waiter> All => _lines.Values.SelectMany(line => line).Distinct();

    public WaitingCalls[] Report()
    {
        var (report, i) = (new WaitingCalls[_lines.Count], 0);
        foreach (var (line, waiters) in _lines) report[i++] = new WaitingCalls(line.Rank, line.Team, waiters.Count);
        return report;
    }

    public void Add(Waiter waiter)
    {
        Count++;
        _byJob[waiter.Job] = waiter;
        Join(waiter, waiter.Team);
    }

    /// <summary>Lets a call wait for one more team: it goes out at whichever's turn comes first.</summary>
    /// <returns>False: it does already.</returns>
    public bool Join(Waiter waiter, string team)
    {
        if (waiter.Places.Exists(place => place.Line.Team == team)) return false;
        var line = (waiter.Rank, team);
        if (!_lines.TryGetValue(line, out var waiters)) _lines[line] = waiters = new LinkedList<Waiter>();
        waiter.Places.Add((line, waiters.AddLast(waiter)));
        return true;
    }

    /// <summary>Takes the one that has waited longest, if there still is one.</summary>
    public Waiter? Take(CallRank rank, string team)
    {
        if (!_lines.TryGetValue((rank, team), out var line)) return null;
        var waiter = line.First!.Value;
        Remove(waiter);
        return waiter;
    }

    /// <summary>Takes any.</summary>
    public Waiter? TakeAny() => _lines.Keys.OrderBy(line => line.Rank).Select(line => Take(line.Rank, line.Team)).FirstOrDefault();

    public Waiter? Find(JobAddress job) => _byJob.GetValueOrDefault(job);

    /// <returns>False: it had gone already.</returns>
    public bool Remove(Waiter waiter)
    {
        if (waiter.Places.Count == 0) return false;
        foreach (var (line, place) in waiter.Places)
        {
            _lines[line].Remove(place);
            if (_lines[line].Count == 0) _lines.Remove(line);
        }
        waiter.Places.Clear();
        if (_byJob.GetValueOrDefault(waiter.Job) == waiter) _byJob.Remove(waiter.Job);
        Count--;
        return true;
    }

    /// <summary>
    /// Who is to make room: of the team that has most waiting, the last that came, of a refresh rather than of a first
    /// read.
    /// </summary>
    public Waiter Surplus()
    {
        var team = _lines.Where(line => line.Key.Rank != CallRank.OtherCredential).GroupBy(line => line.Key.Team)
            .MaxBy(lines => lines.Sum(line => line.Value.Count))!;
        var line = team.MaxBy(line => line.Key.Rank).Value;
        for (var place = line.Last; place is not null; place = place.Previous)
        {
            // Not one that another team waits for, too.
            if (place.Value.Places.Count == 1) return place.Value;
        }
        return line.Last!.Value;
    }

    internal sealed class Waiter(CallRank rank, string team, JobAddress job)
    {
        public CallRank Rank => rank;

        /// <summary>The team that began it.</summary>
        public string Team => team;

        public JobAddress Job => job;

        public List<((CallRank Rank, string Team) Line, LinkedListNode<Waiter> Place)> Places { get; } = new(1);

        public TaskCompletionSource<Entry> Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
