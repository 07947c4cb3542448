using Gateway.Runtime;

namespace Gateway.Limits;

/// <summary>
/// One quota of a team or a key, on this node. With Redis, the node leases permits: Redis counts them as spent, and the
/// node hands them out without a trip and gives unused ones back. While Redis is away, the node uses its share of the
/// quota, and reports the permits spent meanwhile when Redis is back. Without a configured Redis, the node uses the
/// whole quota.
/// </summary>
internal sealed class Quota
{
    private const int TicksUntilIdle = 4;

    // While the bucket is known to be empty, the node asks Redis at most once in this time, in microseconds.
    private static readonly double RetryInterval = TimeSpan.FromSeconds(1).TotalMicroseconds;

    private readonly SharedQuotas _shared;
    private readonly QuotaMetrics _metrics;
    private readonly SteadyClock _clock;
    private readonly Gcra _whole;
    private readonly Lock _lock = new();
    // The quota without Redis: this node's share, or all of it if no Redis is configured.
    private volatile LocalQuota? _local;
    private Task<bool> _leasing = Task.FromResult(true);
    private int _permits;
    private int _spentLocally;
    private long _taken, _takenBefore;
    private int _idleTicks;
    // The last state from Redis and the time of its arrival, by this node's clock.
    private double _restored, _askedAt;

    public Quota(
        string holder, string policy, QuotaOptions options, SharedQuotas shared, QuotaMetrics metrics,
        SteadyClock clock)
    {
        (_shared, _metrics, _clock, _whole) = (shared, metrics, clock, Gcra.Of(options));
        (Holder, Policy, Options) = (holder, policy, options);
        PolicyField = RateLimitFields.Policy(policy, options);
        _restored = Now;
        if (!shared.IsConfigured) _local = new LocalQuota(_whole, _restored);
    }

    /// <summary>The team or key that the quota belongs to.</summary>
    public string Holder { get; }

    /// <summary>The name of the quota, which clients see.</summary>
    public string Policy { get; }

    /// <summary>The item of <c>RateLimit-Policy</c>.</summary>
    public string PolicyField { get; }

    public QuotaOptions Options { get; }

    /// <summary>Whether a request without a permit is refused, and not only counted.</summary>
    public bool Refuses => Options.Mode == QuotaMode.Enforce;

    /// <summary>
    /// The most unspent permits that this node holds: a twentieth of a window's permits or half a burst, the smaller of
    /// both, divided by the number of nodes. Admissions may exceed the quota by this much in any window.
    /// </summary>
    public int LargestLease =>
        Math.Max(1, (int)(Math.Min(Options.Requests / 20.0, Options.Burst / 2.0) / _shared.Nodes));

    /// <summary>The remaining permits as far as this node knows, and the time until there is one more.</summary>
    public (long Remaining, TimeSpan Wait) Standing
    {
        get
        {
            var now = Now;
            if (_local is { } local) return (local.Available(now), local.Wait(now));
            var restored = Volatile.Read(ref _restored);
            var remaining = _whole.Available(restored, now) + Math.Max(0, Volatile.Read(ref _permits));
            return (Math.Min(Options.Burst, remaining), _whole.Wait(restored, now));
        }
    }

    public long Remaining => Standing.Remaining;

    public TimeSpan Wait => Standing.Wait;

    /// <summary>The time in which one permit is restored.</summary>
    public TimeSpan Tick => TimeSpan.FromMicroseconds(_whole.Interval);

    private double Now => _clock.Microseconds;

    /// <summary>Takes one permit that this node holds. If it holds none, nothing changes.</summary>
    public bool TryTake()
    {
        if (!TryTakeLeased() && (_shared.IsAvailable || _local is null || !TryTakeLocal())) return false;
        Interlocked.Increment(ref _taken);
        return true;
    }

    /// <summary>Takes one permit, if one is available. Waits for Redis only if the lease is used up.</summary>
    public ValueTask<bool> TakeAsync()
    {
        Interlocked.Increment(ref _taken);
        if (TryTakeLeased()) return new(true);
        return _shared.IsAvailable ? TakeSharedAsync() : new(Counted(TryTakeLocal()));
    }

    /// <summary>Gives back a permit, because another quota refused the request.</summary>
    public void Return()
    {
        if (_local is not { } local)
        {
            Interlocked.Increment(ref _permits);
            return;
        }
        local.Return(Now);
        if (_shared.IsConfigured) Interlocked.Decrement(ref _spentLocally);
    }

    /// <summary>Gives back all unspent permits of the lease.</summary>
    public async Task ReturnLeaseAsync()
    {
        if (!_shared.IsAvailable || Volatile.Read(ref _permits) <= 0) return;
        await AskAsync(wanted: 0, back: Interlocked.Exchange(ref _permits, 0));
    }

    /// <summary>Adjusts the lease to the current demand. Called several times a second.</summary>
    public async Task AdjustLeaseAsync()
    {
        if (!_shared.IsAvailable) return;
        var taken = Interlocked.Read(ref _taken);
        var demand = taken - _takenBefore;
        _takenBefore = taken;
        _idleTicks = demand == 0 ? _idleTicks + 1 : 0;
        var permits = Volatile.Read(ref _permits);
        if (_idleTicks >= TicksUntilIdle && permits > 0) await ReturnLeaseAsync();
        else if (_local is not null) await AskAsync(wanted: 0, back: 0);
        else if (2 * demand > permits && permits < LargestLease && Wait == TimeSpan.Zero) await LeaseAsync();
    }

    private bool TryTakeLeased()
    {
        while (true)
        {
            var permits = Volatile.Read(ref _permits);
            if (permits <= 0) return false;
            if (Interlocked.CompareExchange(ref _permits, permits - 1, permits) == permits) return true;
        }
    }

    private bool Counted(bool hasTaken)
    {
        if (!hasTaken) _metrics.Exceeded(Policy, Options.Mode.ToString());
        return hasTaken;
    }

    private bool TryTakeLocal()
    {
        var local = _local ?? CreateLocal();
        if (!local.TryTake(Now)) return false;
        if (_shared.IsConfigured) Interlocked.Increment(ref _spentLocally);
        return true;
    }

    // Creates this node's share: of the permits that were left as far as the node knows, and of those restored later.
    private LocalQuota CreateLocal()
    {
        lock (_lock)
        {
            if (_local is { } existing) return existing;
            var (share, now) = (_whole.Share(_shared.Nodes), Now);
            var left = _whole.Available(Volatile.Read(ref _restored), now) / (double)_shared.Nodes;
            return _local = new LocalQuota(share, share.With(Math.Min(left, share.Burst), now));
        }
    }

    private async ValueTask<bool> TakeSharedAsync()
    {
        // While the bucket is known to be empty, ask Redis at most once a second: another node may give permits back.
        while (_local is not null || Wait == TimeSpan.Zero || Now - Volatile.Read(ref _askedAt) > RetryInterval)
        {
            if (!await LeaseAsync()) return Counted(TryTakeLeased() || TryTakeLocal());
            if (TryTakeLeased()) return true;
        }
        return Counted(false);
    }

    // Leases permits in one trip at a time, for all requests that wait.
    private Task<bool> LeaseAsync()
    {
        lock (_lock)
        {
            if (!_leasing.IsCompleted) return _leasing;
            // A caller that starts to ask usually continues, so lease more than one permit.
            var demand = Math.Max(2 * (Interlocked.Read(ref _taken) - _takenBefore), LargestLease / 4);
            var room = Math.Max(1, LargestLease - Volatile.Read(ref _permits));
            return _leasing = AskAsync(wanted: Math.Clamp(demand, 1, room), back: 0);
        }
    }

    /// <returns>False if Redis did not answer.</returns>
    private async Task<bool> AskAsync(long wanted, long back)
    {
        var spent = Interlocked.Exchange(ref _spentLocally, 0);
        var asked = Now;
        if (await _shared.AskAsync($"{Holder}/{Policy}", _whole, wanted, back - spent) is not { } lease)
        {
            Interlocked.Add(ref _spentLocally, spent);
            return false;
        }
        // Convert Redis's time to this node's clock.
        Volatile.Write(ref _askedAt, Now);
        Volatile.Write(ref _restored, lease.Restored - lease.Now + asked);
        Interlocked.Add(ref _permits, (int)lease.Granted);
        _local = null;
        return true;
    }
}
