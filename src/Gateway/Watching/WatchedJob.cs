using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Watching;

/// <summary>The state of a watched job, as its watchers see it.</summary>
/// <param name="Snapshot">The last answer about the job; null if there is none that may be served.</param>
/// <param name="Failure">Why there is no newer answer; null if the last look succeeded.</param>
internal sealed record WatchedState(JobSnapshot? Snapshot, FailedFill? Failure)
{
    private readonly Lazy<JobEvent?>?[] _events = new Lazy<JobEvent?>?[EventView.Count];

    /// <summary>
    /// Whether no change is expected: the job has succeeded or failed, or does not exist. A job that has just succeeded
    /// may still get late results, but nobody waits for those.
    /// </summary>
    public bool IsFinal =>
        Snapshot is { Kind: VerdictKind.Finished or VerdictKind.Settling or VerdictKind.Failed } or { IsAbsent: true };

    public static WatchedState Of(Lookup lookup) => lookup switch
    {
        Lookup.Stale stale => new(stale.Found, stale.Why),
        Lookup.Failed failed => new(null, failed.Why),
        _ => new(lookup.Snapshot, null),
    };

    /// <summary>The event for the state's job, made on first use.</summary>
    /// <returns>Null if the job is too large for an event.</returns>
    public JobEvent? EventOf(JobAddress job, EventView view)
    {
        ref var slot = ref _events[view.Index];
        var made = Volatile.Read(ref slot);
        if (made is null)
        {
            made = new Lazy<JobEvent?>(() => JobEvent.Of(job, Snapshot!, view));
            made = Interlocked.CompareExchange(ref slot, made, null) ?? made;
        }
        return made.Value;
    }

    /// <summary>Whether a watcher of the other state would see a difference.</summary>
    public bool Differs(WatchedState? other) =>
        other is null || Snapshot?.Kind != other.Snapshot?.Kind
            || Failure?.Verdict.Detail != other.Failure?.Verdict.Detail
        || !(Snapshot?.Identity.Body ?? default).Span.SequenceEqual((other.Snapshot?.Identity.Body ?? default).Span);
}

/// <summary>The ways to watch a job.</summary>
internal enum WatcherKind
{
    /// <summary>An event stream.</summary>
    Stream,

    /// <summary>A request with <c>Prefer: wait</c>.</summary>
    Wait,
}

/// <summary>
/// A job that callers watch on this node. It has one state for all watchers: a slow watcher sees only the newest state,
/// and no queue grows.
/// </summary>
internal sealed class WatchedJob(JobKey key, JobOutlook outlook)
{
    private readonly Lock _lock = new();
    // The watchers of each team, and the signals that wake the watchers.
    private readonly Dictionary<string, int> _teams = new(StringComparer.Ordinal);
    private readonly HashSet<Signal> _signals = [];
    private int _streams, _waits;
    private TaskCompletionSource _woken = NewSignal();

    public JobKey Key => key;

    /// <summary>The place of the job in the schedule of polls.</summary>
    public ScheduledPoll Poll { get; } = new(outlook);

    /// <summary>The newest state; null until the first look has ended.</summary>
    public WatchedState? State { get; private set; }

    /// <summary>The snapshot of the last look. It may be newer than that of the state, with the same bytes.</summary>
    public JobSnapshot? LastSnapshot { get; private set; }

    /// <summary>The teams that watch. A poll goes out at the turn of any of them.</summary>
    public string[] Teams
    {
        get { lock (_lock) return [.. _teams.Keys]; }
    }

    /// <summary>When the poller looks at the job next, by the steady clock.</summary>
    public DateTimeOffset NextLook { get; set; }

    /// <summary>The number of event streams and of waiting requests that watch the job.</summary>
    public (int Streams, int Waits) Watchers
    {
        get { lock (_lock) return (_streams, _waits); }
    }

    /// <summary>Adds a watcher.</summary>
    /// <param name="kind">What the watcher is.</param>
    /// <param name="signal">Set at each change of the state. A watcher of several jobs has one for all of them.</param>
    /// <returns>Whether it is the first watcher.</returns>
    public bool Add(WatcherKind kind, string team, Signal signal)
    {
        lock (_lock)
        {
            CountOf(kind)++;
            _teams[team] = _teams.GetValueOrDefault(team) + 1;
            _signals.Add(signal);
            // A poll that waits may now go out at the turn of this team as well.
            if (_teams[team] == 1 && _teams.Count > 1) _woken.TrySetResult();
            return _signals.Count == 1;
        }
    }

    /// <summary>Removes a watcher.</summary>
    /// <returns>Whether it was the last one.</returns>
    public bool Remove(WatcherKind kind, string team, Signal signal)
    {
        lock (_lock)
        {
            CountOf(kind)--;
            if (--_teams[team] == 0) _teams.Remove(team);
            _signals.Remove(signal);
            return _signals.Count == 0;
        }
    }

    /// <summary>Replaces the state, and wakes the watchers if they would see a difference.</summary>
    public void Publish(WatchedState state)
    {
        lock (_lock)
        {
            LastSnapshot = state.Snapshot;
            // Watchers compare states by reference.
            if (!state.Differs(State)) return;
            State = state;
            foreach (var signal in _signals) signal.Set();
        }
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

    private ref int CountOf(WatcherKind kind) => ref kind == WatcherKind.Stream ? ref _streams : ref _waits;

    private void ResetWake()
    {
        lock (_lock)
        {
            if (_woken.Task.IsCompleted) _woken = NewSignal();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
