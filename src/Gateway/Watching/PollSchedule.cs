using Gateway.Upstream;

namespace Gateway.Watching;

/// <summary>
/// Decides which of the watched jobs of an account is polled next. The job with the greatest gain goes first
/// (<see cref="JobOutlook.GainAt"/>). If N jobs of a team wait, each of them goes out with one of the team's next 2 N
/// polls at the latest, so that none starves. The schedule uses no clock, and is not safe for several threads.
/// </summary>
internal sealed class PollSchedule
{
    private const int LongestWait = 2;

    private readonly Dictionary<string, Line> _lines = new(StringComparer.Ordinal);

    /// <summary>The number of jobs that wait.</summary>
    public int Count { get; private set; }

    public IEnumerable<ScheduledPoll> All => _lines.Values.SelectMany(line => line.Waiting.Keys).Distinct();

    /// <summary>The jobs that wait, by team.</summary>
    public WaitingCalls[] Report() =>
    [
        .. _lines.Where(line => line.Value.Waiting.Count > 0)
            .Select(line => new WaitingCalls(CallRank.Watch, line.Key, line.Value.Waiting.Count)),
    ];

    /// <summary>Adds a job that is due. If it already waits, it keeps its place.</summary>
    /// <param name="teams">The teams that watch it. It goes out at the turn that comes first.</param>
    /// <returns>Whether a team has a job in the schedule that had none.</returns>
    public bool Add(ScheduledPoll poll, IEnumerable<string> teams)
    {
        var isFirst = false;
        foreach (var team in teams)
        {
            if (!_lines.TryGetValue(team, out var line)) _lines[team] = line = new Line();
            if (line.Waiting.ContainsKey(poll)) continue;
            isFirst |= line.Waiting.Count == 0;
            if (poll.Lines.Count == 0) Count++;
            poll.Lines.Add(line);
            // Jobs that are added at the same time get different deadlines.
            line.Waiting[poll] = line.Taken + LongestWait * (line.Waiting.Count + 1);
        }
        return isFirst;
    }

    /// <returns>False: the job does not wait.</returns>
    public bool Remove(ScheduledPoll poll)
    {
        if (poll.Lines.Count == 0) return false;
        foreach (var line in poll.Lines) line.Waiting.Remove(poll);
        poll.Lines.Clear();
        Count--;
        return true;
    }

    /// <summary>Takes the job that a team's poll is used for.</summary>
    /// <returns>Null: no job of the team waits.</returns>
    public ScheduledPoll? Take(string team, DateTimeOffset now)
    {
        if (!_lines.TryGetValue(team, out var line) || line.Waiting.Count == 0) return null;
        line.Taken++;
        ScheduledPoll? first = null, best = null;
        var (deadline, most) = (long.MaxValue, double.NegativeInfinity);
        foreach (var (poll, latest) in line.Waiting)
        {
            var gain = poll.Outlook.GainAt(now);
            if (latest < deadline) (first, deadline) = (poll, latest);
            if (gain > most || (gain == most && latest < line.Waiting[best!])) (best, most) = (poll, gain);
        }
        var taken = deadline <= line.Taken ? first! : best!;
        Remove(taken);
        return taken;
    }

    /// <summary>Takes a job of any team.</summary>
    public ScheduledPoll? TakeAny(DateTimeOffset now) =>
        _lines.FirstOrDefault(line => line.Value.Waiting.Count > 0).Key is { } team ? Take(team, now) : null;

    /// <summary>The jobs of one team that wait.</summary>
    internal sealed class Line
    {
        /// <summary>The number of polls that the team has made.</summary>
        public long Taken { get; set; }

        /// <summary>The jobs, each with the poll of the team that it goes out with at the latest.</summary>
        public Dictionary<ScheduledPoll, long> Waiting { get; } = [];
    }
}

/// <summary>A watched job that is due for a poll, or will be.</summary>
internal sealed class ScheduledPoll(JobOutlook outlook)
{
    public JobOutlook Outlook => outlook;

    /// <summary>The lines in which it waits, one for each team.</summary>
    public List<PollSchedule.Line> Lines { get; } = new(1);

    /// <summary>Completes with the permit for the poll, or with the reason why there is none.</summary>
    public TaskCompletionSource<CallTicket> Turn { get; set; } = NewTurn();

    /// <summary>Whether the watchers know that the upstream cannot be asked.</summary>
    public bool IsFailureKnown { get; set; }

    public static TaskCompletionSource<CallTicket> NewTurn() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}
