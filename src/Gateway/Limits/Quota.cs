using Gateway.Runtime;

namespace Gateway.Limits;

/// <summary>
/// One quota of a team or a key, on this node. Without a Redis it is the node's own. With one, the node holds a lease:
/// some permits that Redis has counted as spent, which it hands out without asking; whatever it does not need it gives
/// back. While Redis is away it goes on with its share, and says so when Redis is back.
/// </summary>
internal sealed class Quota
{
    private const int TicksUntilIdle = 4;

    private static readonly double Believed = TimeSpan.FromSeconds(1).TotalMicroseconds;

    private readonly SharedQuotas _shared;
    private readonly QuotaMetrics _metrics;
    private readonly SteadyClock _clock;
    private readonly Gcra _whole;
    private readonly Lock _asking = new();
    private volatile LocalQuota? _alone;
    private Task<bool> _ask = Task.FromResult(true);
    private int _permits;
    private int _spentAlone;
    private long _taken, _takenBefore;
    private int _idleTicks;
    // As Redis said last, and when that was, by this node's clock.
    private double _restored, _askedAt;

    public Quota(string holder, string policy, QuotaOptions options, SharedQuotas shared, QuotaMetrics metrics, SteadyClock clock)
    {
        (_shared, _metrics, _clock, _whole) = (shared, metrics, clock, Gcra.Of(options));
        (Holder, Policy, Options) = (holder, policy, options);
        PolicyField = RateLimitFields.Policy(policy, options);
        _restored = Now;
        if (!shared.IsConfigured) _alone = new LocalQuota(_whole, _restored);
    }

    /// <summary>Whose it is.</summary>
    public string Holder { get; }

    /// <summary>The quota's name, which clients see.</summary>
    public string Policy { get; }

    /// <summary>The item of <c>RateLimit-Policy</c>.</summary>
    public string PolicyField { get; }

    public QuotaOptions Options { get; }

    /// <summary>Whether a request is refused where there is no permit, and not only counted.</summary>
    public bool Refuses => Options.Mode == QuotaMode.Enforce;

    /// <summary>
    /// The most permits that this node holds unspent: a twentieth of what a window brings, and half a burst, shared by
    /// all nodes. That is what admissions may be ahead of the quota in any window.
    /// </summary>
    public int LargestLease => Math.Max(1, (int)(Math.Min(Options.Requests / 20.0, Options.Burst / 2.0) / _shared.Nodes));

    /// <summary>Permits left now, as far as this node knows, and after what time there is one more.</summary>
    public (long Remaining, TimeSpan Wait) Standing
    {
        get
        {
            var now = Now;
            if (_alone is { } alone) return (alone.Available(now), alone.Wait(now));
            var restored = Volatile.Read(ref _restored);
            return (Math.Min(Options.Burst, Math.Max(0, _whole.Available(restored, now)) + Math.Max(0, Volatile.Read(ref _permits))), _whole.Wait(restored, now));
        }
    }

    public long Remaining => Standing.Remaining;

    public TimeSpan Wait => Standing.Wait;

    /// <summary>How long one permit takes to come back.</summary>
    public TimeSpan Tick => TimeSpan.FromMicroseconds(_whole.Interval);

    private double Now => _clock.Microseconds;

    /// <summary>
    /// Takes one permit that this node has at hand; where it has none, nothing has changed, and <see cref="TakeAsync"/>
    /// is to say.
    /// </summary>
    public bool TryTake()
    {
        if (!TryTakeLeased() && (_shared.IsAvailable || _alone is null || !TakeAlone())) return false;
        Interlocked.Increment(ref _taken);
        return true;
    }

    /// <summary>Takes one permit, if there is one. It waits only where the lease is used up.</summary>
    public ValueTask<bool> TakeAsync()
    {
        Interlocked.Increment(ref _taken);
        if (TryTakeLeased()) return new(true);
        return _shared.IsAvailable ? TakeSharedAsync() : new(Counted(TakeAlone()));
    }

    /// <summary>Gives back one that was taken, for a request that another quota refused.</summary>
    public void Return()
    {
        if (_alone is not { } alone)
        {
            Interlocked.Increment(ref _permits);
            return;
        }
        alone.Return(Now);
        if (_shared.IsConfigured) Interlocked.Decrement(ref _spentAlone);
    }

    /// <summary>Gives back what is leased and not spent, for this node stops.</summary>
    public async Task ReturnLeaseAsync()
    {
        if (_shared.IsAvailable && Volatile.Read(ref _permits) > 0) await AskAsync(wanted: 0, back: Interlocked.Exchange(ref _permits, 0));
    }

    /// <summary>Keeps the lease in line with what is asked of it; several times a second.</summary>
    public async Task TendAsync()
    {
        if (!_shared.IsAvailable) return;
        var taken = Interlocked.Read(ref _taken);
        var lately = taken - _takenBefore;
        _takenBefore = taken;
        _idleTicks = lately == 0 ? _idleTicks + 1 : 0;
        var permits = Volatile.Read(ref _permits);
        if (_idleTicks >= TicksUntilIdle && permits > 0) await ReturnLeaseAsync();
        else if (_alone is not null) await AskAsync(wanted: 0, back: 0);
        else if (2 * lately > permits && permits < LargestLease && Wait == TimeSpan.Zero) await LeaseAsync();
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

    private bool TakeAlone()
    {
        var alone = _alone ?? BeAlone();
        if (!alone.TryTake(Now)) return false;
        // That is counted with the next question.
        if (_shared.IsConfigured) Interlocked.Increment(ref _spentAlone);
        return true;
    }

    // Of what was left, as far as it is known, this node's part, and then its part of what comes back.
    private LocalQuota BeAlone()
    {
        lock (_asking)
        {
            if (_alone is { } already) return already;
            var (share, now) = (_whole.Share(_shared.Nodes), Now);
            var left = Math.Max(0, _whole.Available(Volatile.Read(ref _restored), now)) / (double)_shared.Nodes;
            return _alone = new LocalQuota(share, share.With(Math.Min(left, share.Burst), now));
        }
    }

    private async ValueTask<bool> TakeSharedAsync()
    {
        // Whoever comes while there is none need not ask again, but for what others may have given back.
        while (_alone is not null || Wait == TimeSpan.Zero || Now - Volatile.Read(ref _askedAt) > Believed)
        {
            if (!await LeaseAsync()) return Counted(TryTakeLeased() || TakeAlone());
            if (TryTakeLeased()) return true;
        }
        return Counted(false);
    }

    // One question at a time, for all who wait.
    private Task<bool> LeaseAsync()
    {
        lock (_asking)
        {
            if (!_ask.IsCompleted) return _ask;
            // Whoever begins to ask goes on, most often; what it does not need comes back.
            var demand = Math.Max(2 * (Interlocked.Read(ref _taken) - _takenBefore), LargestLease / 4);
            var room = Math.Max(1, LargestLease - Volatile.Read(ref _permits));
            return _ask = AskAsync(wanted: Math.Clamp(demand, 1, room), back: 0);
        }
    }

    // False: Redis has not answered.
    private async Task<bool> AskAsync(long wanted, long back)
    {
        var spent = Interlocked.Exchange(ref _spentAlone, 0);
        var asked = Now;
        if (await _shared.AskAsync($"{Holder}/{Policy}", _whole, wanted, back - spent) is not { } lease)
        {
            Interlocked.Add(ref _spentAlone, spent);
            return false;
        }
        // The clocks need not agree.
        Volatile.Write(ref _askedAt, Now);
        Volatile.Write(ref _restored, lease.Restored - lease.Now + asked);
        Interlocked.Add(ref _permits, (int)lease.Granted);
        _alone = null;
        return true;
    }
}
