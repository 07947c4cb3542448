using System.Threading.RateLimiting;

namespace Gateway.Limits;

/// <summary>One team's token bucket on this node.</summary>
internal sealed class TeamQuota : IDisposable
{
    private static readonly TimeSpan PreferredTick = TimeSpan.FromMilliseconds(100);

    private readonly TokenBucketRateLimiter _bucket;

    public TeamQuota(string policy, QuotaOptions options)
    {
        Options = options;
        Policy = policy;
        PolicyField = RateLimitFields.Policy(policy, options);

        // The limiter refills by whole permits a tick: the tick is that of one permit, or of as many as keep it near
        // the preferred length.
        var perTick = Math.Clamp((int)Math.Ceiling(options.Requests * (PreferredTick / options.Window)), 1, options.Burst);
        Tick = options.Window * ((double)perTick / options.Requests);
        _bucket = new TokenBucketRateLimiter(new TokenBucketRateLimiterOptions
        {
            TokenLimit = options.Burst,
            TokensPerPeriod = perTick,
            ReplenishmentPeriod = Tick,
            AutoReplenishment = true,
            QueueLimit = 0,
        });
    }

    public QuotaOptions Options { get; }

    /// <summary>The quota's name, which clients see.</summary>
    public string Policy { get; }

    /// <summary>The value of <c>RateLimit-Policy</c>.</summary>
    public string PolicyField { get; }

    /// <summary>After at most this time there are more permits.</summary>
    public TimeSpan Tick { get; }

    public long Remaining => _bucket.GetStatistics()?.CurrentAvailablePermits ?? 0;

    /// <summary>Takes one permit, if there is one.</summary>
    public bool TryTake()
    {
        using var lease = _bucket.AttemptAcquire();
        return lease.IsAcquired;
    }

    public void Dispose() => _bucket.Dispose();
}
