using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Watching;

/// <summary>The state of a watched job, as its watchers see it.</summary>
/// <param name="Snapshot">The last answer about the job; null if there is none that may be served.</param>
/// <param name="Failure">Why there is no newer answer; null if the last look succeeded.</param>
internal sealed record WatchedState(JobSnapshot? Snapshot, FailedFill? Failure)
{
    /// <summary>Whether no change is expected: the job is finished, has failed or does not exist.</summary>
    public bool IsFinal => Snapshot is { Kind: VerdictKind.Finished or VerdictKind.Failed } or { IsAbsent: true };

    public static WatchedState Of(Lookup lookup) => lookup switch
    {
        Lookup.Stale stale => new(stale.Found, stale.Why),
        Lookup.Failed failed => new(null, failed.Why),
        _ => new(lookup.Snapshot, null),
    };

    /// <summary>Whether a watcher of the other state would see a difference.</summary>
    public bool Differs(WatchedState? other) =>
        other is null || Snapshot?.Kind != other.Snapshot?.Kind
            || Failure?.Verdict.Detail != other.Failure?.Verdict.Detail
        || !(Snapshot?.Identity.Body ?? default).Span.SequenceEqual((other.Snapshot?.Identity.Body ?? default).Span);
}

/// <summary>
/// A job that callers watch on this node. It has one state for all watchers: a slow watcher sees only the newest state,
/// and no queue grows.
/// </summary>
internal sealed class WatchedJob(JobKey key, JobOutlook outlook)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _watchers = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = NewSignal(), _woken = NewSignal();

    public JobKey Key => key;

    /// <summary>The place of the job in the schedule of polls.</summary>
    public ScheduledPoll Poll { get; } = new(outlook);

    /// <summary>The newest state; null until the first look has ended.</summary>
    public WatchedState? State { get; private set; }

    /// <summary>The teams that watch. A poll goes out at the turn of any of them.</summary>
    public string[] Teams
    {
        get { lock (_lock) return [.. _watchers.Keys]; }
    }

    /// <summary>Adds a watcher.</summary>
    /// <returns>Whether it is the first one.</returns>
    public bool Add(string team)
    {
        lock (_lock)
        {
            _watchers[team] = _watchers.GetValueOrDefault(team) + 1;
            var isNewTeam = _watchers[team] == 1;
            // A poll that waits may now go out at the turn of this team as well.
            if (isNewTeam && _watchers.Count > 1) _woken.TrySetResult();
            return isNewTeam && _watchers.Count == 1;
        }
    }

    /// <summary>Removes a watcher.</summary>
    /// <returns>Whether it was the last one.</returns>
    public bool Remove(string team)
    {
        lock (_lock)
        {
            if (--_watchers[team] == 0) _watchers.Remove(team);
            return _watchers.Count == 0;
        }
    }

    /// <summary>Returns the state, and a task that completes when it changes.</summary>
    public (WatchedState? State, Task Changed) Read()
    {
        lock (_lock) return (State, _changed.Task);
    }

    /// <summary>Replaces the state, and wakes the watchers if they would see a difference.</summary>
    public void Publish(WatchedState state)
    {
        TaskCompletionSource? changed = null;
        lock (_lock)
        {
            if (state.Differs(State)) (changed, _changed) = (_changed, NewSignal());
            State = state;
        }
        changed?.TrySetResult();
    }

    /// <summary>Ends the current wait of the poller.</summary>
    public void Wake()
    {
        lock (_lock) _woken.TrySetResult();
    }

    /// <summary>Waits until it is time for the next look, or until <see cref="Wake"/> is called.</summary>
    public async Task WaitAsync(TimeSpan time, TimeProvider clock)
    {
        Task woken;
        lock (_lock) woken = _woken.Task;
        await woken.WaitAsync(time, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ResetWake();
    }

    /// <summary>Waits until a task completes, or until <see cref="Wake"/> is called.</summary>
    public async Task WaitAsync(Task other)
    {
        Task woken;
        lock (_lock) woken = _woken.Task;
        await Task.WhenAny(other, woken);
        ResetWake();
    }

    private void ResetWake()
    {
        lock (_lock)
        {
            if (_woken.Task.IsCompleted) _woken = NewSignal();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
