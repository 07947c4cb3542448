using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// The snapshots in this node's memory, bounded by <c>Jobs:MemoryBytes</c>. A snapshot is replaced only by one that
/// outranks it, and a purged snapshot is never stored again. Memory also returns stale snapshots; callers check whether
/// one is fresh.
/// </summary>
internal sealed class JobMemory : IDisposable
{
    /// <summary>
    /// The longest time that a snapshot stays in memory before the node reads it from Redis again. This bounds the
    /// effect of a lost purge message or of a defect.
    /// </summary>
    public static readonly TimeSpan LongestStay = TimeSpan.FromHours(24);

    /// <summary>How long a failure is kept after its back-off has ended.</summary>
    public static readonly TimeSpan FailureStay = TimeSpan.FromMinutes(1);

    private const int FailureSize = 1024;

    // Another request may take the room that this one has made.
    private const int MaxTries = 3;

    // Making room visits all entries, so it removes 5% of them at once.
    private const double CompactedShare = 0.05;

    private readonly IOptionsMonitor<JobsOptions> _options;
    private readonly PurgeMarks _purges;
    private readonly SteadyClock _clock;
    private readonly MemoryCache _cache;
    private readonly long _limit;
    // Until the first failure, a request needs no look-up for one.
    private volatile bool _hasFailures;
    private readonly SemaphoreSlim _makingRoom = new(1);
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];

    public JobMemory(IOptionsMonitor<JobsOptions> options, PurgeMarks purges, CacheMetrics metrics, SteadyClock clock)
    {
        _options = options;
        _purges = purges;
        _clock = clock;
        _limit = options.CurrentValue.MemoryInForce;
        _cache = new MemoryCache(new MemoryCacheOptions { SizeLimit = _limit, TrackStatistics = true });
        metrics.ObserveMemory(() => Bytes);
    }

    /// <summary>The estimated size of all entries, in bytes.</summary>
    public long Bytes => _cache.GetCurrentStatistics()?.CurrentEstimatedSize ?? 0;

    public JobSnapshot? Find(JobKey key) => _cache.TryGetValue(key, out var found) ? (JobSnapshot?)found : null;

    /// <summary>
    /// Stores a snapshot for as long as it may be served, unless the stored one outranks it. If there is no room, the
    /// least recently used entries are removed first, on the thread pool.
    /// </summary>
    /// <returns>The snapshot that is valid now.</returns>
    public async ValueTask<JobSnapshot> KeepAsync(JobKey key, JobSnapshot snapshot)
    {
        for (var tries = 1; ; tries++)
        {
            if (TryKeep(key, snapshot, out var current) || tries == MaxTries) return current;
            await MakeRoomAsync(snapshot.Size);
        }
    }

    /// <summary>Stores a snapshot, like <see cref="KeepAsync(JobKey, JobSnapshot)"/>, only if there is room.</summary>
    public JobSnapshot Keep(JobKey key, JobSnapshot snapshot)
    {
        TryKeep(key, snapshot, out var current);
        return current;
    }

    /// <returns>False if there is no room.</returns>
    private bool TryKeep(JobKey key, JobSnapshot snapshot, out JobSnapshot current)
    {
        current = snapshot;
        lock (_locks[(uint)key.GetHashCode() % _locks.Length])
        {
            var (staleIfError, now) = (_options.CurrentValue.StaleIfError, _clock.Now);
            if (Find(key) is { } kept && kept.Retention(staleIfError, now) > TimeSpan.Zero && !snapshot.Outranks(kept))
            {
                current = kept;
                return true;
            }
            var hasRoom = TrySet(key, snapshot, snapshot.Retention(staleIfError, now));
            // Check for a purge after storing. A purge sets its mark before it removes entries, so either this check
            // finds the mark or the purge finds the entry.
            if (snapshot.Order <= _purges.LatestOf(key)) _cache.Remove(key);
            else if (hasRoom) hasRoom = TrySoftPurge(key, snapshot);
            return hasRoom;
        }
    }

    // Replaces a stored snapshot with a stale copy if a soft purge covers it.
    private bool TrySoftPurge(JobKey key, JobSnapshot kept)
    {
        var stale = _purges.SoftPurged(key, kept, _clock);
        return stale == kept
            || TrySet(key, stale, stale.Retention(_options.CurrentValue.StaleIfError, _clock.Now));
    }

    /// <summary>Updates the size of a stored snapshot that has grown.</summary>
    public async ValueTask UpdateSizeAsync(JobKey key, JobSnapshot snapshot)
    {
        if (TryUpdateSize(key, snapshot)) return;
        // The cache refused the larger entry, and removed the smaller one.
        await MakeRoomAsync(snapshot.Size);
        await KeepAsync(key, snapshot);
    }

    private bool TryUpdateSize(JobKey key, JobSnapshot snapshot)
    {
        lock (_locks[(uint)key.GetHashCode() % _locks.Length])
        {
            return Find(key) != snapshot
                || TrySet(key, snapshot, snapshot.Retention(_options.CurrentValue.StaleIfError, _clock.Now));
        }
    }

    /// <summary>Finds the failure of the last fill, if its back-off has not ended.</summary>
    public FailedFill? FindFailure(JobKey key) =>
        FindBackOff(key) is { } backOff && backOff.Until - _clock.Now is { Ticks: > 0 } left
            ? backOff.Failure.Later(left) : null;

    /// <summary>Finds the failure of the last fill, even if its back-off has ended or the next fill runs.</summary>
    public FailedFill? FindLastFailure(JobKey key) =>
        FindBackOff(key) is { } backOff ? backOff.Failure.Later(backOff.Until - _clock.Now) : null;

    /// <summary>Finds the failure of the last fill, with the end of its back-off.</summary>
    public (FailedFill Failure, DateTimeOffset Until)? FindFailureWithEnd(JobKey key) =>
        FindBackOff(key) is { } backOff ? (backOff.Failure, backOff.Until) : null;

    /// <summary>
    /// Stores a failure until the next fill ends or the job is purged, but at most until a minute after the end of its
    /// back-off.
    /// </summary>
    public async ValueTask KeepAsync(JobKey key, FailedFill failure)
    {
        for (var tries = 1; !TryKeep(key, failure) && tries < MaxTries; tries++) await MakeRoomAsync(SizeOf(failure));
    }

    /// <summary>Stores a failure, like <see cref="KeepAsync(JobKey, FailedFill)"/>, only if there is room.</summary>
    public void Keep(JobKey key, FailedFill failure) => TryKeep(key, failure);

    /// <returns>False if there is no room.</returns>
    private bool TryKeep(JobKey key, FailedFill failure)
    {
        if (failure.BackOff <= TimeSpan.Zero)
        {
            ForgetFailure(key);
            return true;
        }
        _hasFailures = true;
        var backOff = new BackOff(failure, _clock.Now + failure.BackOff);
        var hasRoom = TrySet(
            new FailureKey(key), backOff, failure.BackOff + FailureStay, SizeOf(failure), CacheItemPriority.Low);
        if (failure.Order <= _purges.LatestOfAny(key)) _cache.Remove(new FailureKey(key));
        return hasRoom;
    }

    private static long SizeOf(FailedFill failure) => FailureSize + failure.Answer.Body.Length;

    /// <summary>Whether Redis had no snapshot when this node looked after the last failure.</summary>
    public bool IsMissingInRedis(JobKey key) => FindBackOff(key) is { IsMissingInRedis: true };

    /// <summary>Notes that Redis has no snapshot, until the next failure.</summary>
    public void NoteMissingInRedis(JobKey key)
    {
        if (FindBackOff(key) is { } backOff) backOff.IsMissingInRedis = true;
    }

    public void ForgetFailure(JobKey key)
    {
        if (_hasFailures) _cache.Remove(new FailureKey(key));
    }

    /// <summary>
    /// Removes all entries in the scope of a purge, whose mark is already set. A soft purge only makes jobs stale.
    /// </summary>
    /// <returns>The number of jobs that were fetched before the purge.</returns>
    public int Remove(PurgeScope scope)
    {
        var covered = 0;
        foreach (var name in _cache.Keys)
        {
            if (name is FailureKey failure && scope.Covers(failure.Job)) _cache.Remove(failure);
            if (name is not JobKey key || !scope.Covers(key)) continue;
            lock (_locks[(uint)key.GetHashCode() % _locks.Length])
            {
                var purge = scope.IsSoft ? _purges.LatestSoftOf(key) : _purges.LatestOf(key);
                if (Find(key) is not { } kept || kept.Order > purge) continue;
                if (scope.IsSoft) TrySoftPurge(key, kept);
                else _cache.Remove(key);
                covered++;
            }
        }
        return covered;
    }

    /// <summary>Removes a job that a fetch of this order found gone, on any node. A later snapshot stays.</summary>
    public void RemoveGone(JobKey key, long order)
    {
        lock (_locks[(uint)key.GetHashCode() % _locks.Length])
        {
            if (Find(key)?.Order < order) _cache.Remove(key);
        }
    }

    /// <summary>Removes all snapshots above this order, which were fetched while a clock was ahead.</summary>
    public void RemoveNewerThan(long order)
    {
        foreach (var name in _cache.Keys)
        {
            if (name is JobKey key && Find(key)?.Order > order) _cache.Remove(key);
        }
    }

    public void Dispose()
    {
        _cache.Dispose();
        _makingRoom.Dispose();
    }

    private bool TrySet(JobKey key, JobSnapshot snapshot, TimeSpan retention)
    {
        if (retention > TimeSpan.Zero)
        {
            return TrySet(key, snapshot, retention < LongestStay ? retention : LongestStay, snapshot.Size);
        }
        // The older snapshot must not be served any more.
        _cache.Remove(key);
        return true;
    }

    // The cache refuses an entry that does not fit. An entry larger than the whole cache is not tried again.
    private bool TrySet(
        object name, object value, TimeSpan stay, long size, CacheItemPriority priority = CacheItemPriority.Normal)
    {
        using (var entry = _cache.CreateEntry(name))
        {
            entry.Value = value;
            entry.AbsoluteExpirationRelativeToNow = stay;
            entry.Size = size;
            entry.Priority = priority;
        }
        return size > _limit || _cache.TryGetValue(name, out _);
    }

    /// <summary>
    /// Makes room for an entry of this size. The work visits all entries, which takes tens of milliseconds if there are
    /// many. One caller does it at a time, on the thread pool, and holds none of the locks meanwhile.
    /// </summary>
    private async Task MakeRoomAsync(long size)
    {
        await _makingRoom.WaitAsync();
        try
        {
            await Task.Yield();
            while (Bytes + size > _limit && _cache.Count is > 0 and var count)
            {
                // Remove at least one entry.
                _cache.Compact(Math.Min(1, Math.Max(CompactedShare, 1.5 / count)));
            }
        }
        finally
        {
            _makingRoom.Release();
        }
    }

    private BackOff? FindBackOff(JobKey key) =>
        _hasFailures && _cache.TryGetValue(new FailureKey(key), out var found) ? found as BackOff : null;

    private sealed record FailureKey(JobKey Job);

    private sealed record BackOff(FailedFill Failure, DateTimeOffset Until)
    {
        private volatile bool _isMissingInRedis;

        public bool IsMissingInRedis { get => _isMissingInRedis; set => _isMissingInRedis = value; }
    }
}
