using System.Collections.Concurrent;
using Gateway.Runtime;
using Gateway.Upstream;

namespace Gateway.Watching;

/// <summary>
/// The watched jobs of one account that wait on this node for a permit. Which of them is polled is decided when the
/// permit comes, so that no job holds a fetch lock while it waits.
/// </summary>
internal sealed class PollQueue(string account, AccountGates gates, SteadyClock clock) : IPollSource
{
    private readonly Lock _lock = new();
    private readonly PollSchedule _schedule = new();

    public bool IsWaiting
    {
        get { lock (_lock) return _schedule.Count > 0; }
    }

    /// <summary>Whether a job waits.</summary>
    public bool Has(ScheduledPoll poll)
    {
        lock (_lock) return poll.Lines.Count > 0;
    }

    /// <summary>Adds a job that is due. If it already waits, it keeps its place.</summary>
    /// <param name="isFailureKnown">Whether the watchers know that the upstream cannot be asked.</param>
    /// <returns>Completes with the permit, or with the reason why no call may go out.</returns>
    public Task<CallTicket> Add(ScheduledPoll poll, string[] teams, bool isFailureKnown)
    {
        bool isFirst;
        Task<CallTicket> turn;
        lock (_lock)
        {
            if (poll.Turn.Task.IsCompleted) return poll.Turn.Task;
            poll.IsFailureKnown = isFailureKnown;
            turn = poll.Turn.Task;
            isFirst = _schedule.Add(poll, teams);
        }
        if (isFirst) gates.Of(account).Serve(this);
        return turn;
    }

    /// <summary>Removes a job. A permit that it has got meanwhile is returned.</summary>
    public void Remove(ScheduledPoll poll)
    {
        if (TakeTurn(poll) is { } ticket) ticket.Return();
    }

    /// <summary>Notes that the job no longer waits.</summary>
    /// <returns>The permit that it has got, or the reason why no call may go out; null if it has got none.</returns>
    public CallTicket? TakeTurn(ScheduledPoll poll)
    {
        lock (_lock)
        {
            _schedule.Remove(poll);
            if (!poll.Turn.Task.IsCompleted) return null;
            var ticket = poll.Turn.Task.Result;
            poll.Turn = ScheduledPoll.NewTurn();
            return ticket;
        }
    }

    public WaitingCalls[] Report()
    {
        lock (_lock) return _schedule.Report();
    }

    public bool Start(string team, CallPermit permit)
    {
        lock (_lock)
        {
            if ((_schedule.Take(team, clock.Now) ?? _schedule.TakeAny(clock.Now)) is not { } poll) return false;
            return poll.Turn.TrySetResult(new CallTicket(new QueueResult(permit), team, GiveBack));
        }
    }

    public void Close(UpstreamFault reason, TimeSpan left)
    {
        lock (_lock)
        {
            // Each watcher is told once. The job then waits for a permit again.
            foreach (var poll in _schedule.All.Where(poll => !poll.IsFailureKnown).ToList())
            {
                _schedule.Remove(poll);
                poll.Turn.TrySetResult(new CallTicket(new QueueResult(null, reason, left), "", GiveBack));
            }
        }
    }

    // Another job uses the permit if one waits.
    private void GiveBack(CallPermit permit, string team)
    {
        if (!Start(team, permit)) _ = permit.ReturnAsync().AsTask();
    }
}

/// <summary>The queues of all accounts.</summary>
internal sealed class PollQueues(AccountGates gates, SteadyClock clock)
{
    private readonly ConcurrentDictionary<string, PollQueue> _all = new(StringComparer.OrdinalIgnoreCase);

    public PollQueue Of(string account) => _all.GetOrAdd(account, account => new PollQueue(account, gates, clock));
}
