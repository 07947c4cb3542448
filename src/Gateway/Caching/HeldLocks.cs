using System.Collections.Concurrent;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The fetch locks of this node's fetches. A lock lasts for <see cref="Lease"/>, and this node renews it each second
/// while its fetch runs. So other nodes wait no longer than a lease for a node that dies.
/// </summary>
internal sealed class HeldLocks : IDisposable
{
    /// <summary>How long a lock lasts from its last renewal. A node that stands still for longer loses it.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly string Renew = ScriptFile.Read("renew-lock");

    private readonly ConcurrentDictionary<Held, bool> _held = new();
    private readonly RedisConnection _redis;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;

    public HeldLocks(RedisConnection redis, TimeProvider clock)
    {
        (_redis, _clock) = (redis, clock);
        _timer = clock.CreateTimer(_ => RenewAll(), null, Interval, Interval);
    }

    /// <summary>Renews a lock until the result is disposed of.</summary>
    /// <param name="longest">The lock lasts no longer than this from now on, even if its fetch does.</param>
    public IDisposable Keep(RedisKey key, FetchLock.Acquired fetchLock, TimeSpan longest)
    {
        var held = new Held(this, key, fetchLock.Lock, _clock.GetTimestamp(), longest);
        _held[held] = true;
        return held;
    }

    public void Dispose() => _timer.Dispose();

    private void RenewAll()
    {
        foreach (var (held, _) in _held)
        {
            var age = _clock.GetElapsedTime(held.Since);
            var rest = held.Longest - age;
            if (age >= Interval && rest > TimeSpan.Zero) _ = RenewAsync(held, rest < Lease ? rest : Lease);
        }
    }

    // If Redis fails, the next renewal follows in a second.
    private async Task RenewAsync(Held held, TimeSpan lease) => await _redis.TryAsync<RedisResult>(
        database => database.ScriptEvaluateAsync(Renew, [held.Key], [held.Value, (long)lease.TotalMilliseconds])!,
        _redis.NewTimeBudget());

    private sealed class Held(HeldLocks owner, RedisKey key, RedisValue value, long since, TimeSpan longest)
        : IDisposable
    {
        public RedisKey Key => key;

        public RedisValue Value => value;

        public long Since => since;

        public TimeSpan Longest => longest;

        public void Dispose() => owner._held.TryRemove(this, out _);
    }
}
