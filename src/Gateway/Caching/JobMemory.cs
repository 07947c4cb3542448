using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// The snapshots in this node's memory, bounded by <c>Jobs:MemoryBytes</c>. A snapshot gives way only to one that
/// outranks it, and what is purged does not come back. It judges no freshness.
/// </summary>
internal sealed class JobMemory : IDisposable
{
    /// <summary>
    /// What memory has, it asks Redis for again after this long: a bound for whatever else went wrong.
    /// </summary>
    public static readonly TimeSpan LongestStay = TimeSpan.FromHours(24);

    private static readonly TimeSpan FailureStay = TimeSpan.FromMinutes(1);

    private const int FailureSize = 1024;

    // Others may take the room that was made.
    private const int MostTries = 3;

    // Room is made for more than one, for making it takes a look at everything.
    private const double RoomAtOnce = 0.05;

    private readonly IOptionsMonitor<JobsOptions> _options;
    private readonly PurgeMarks _purges;
    private readonly SteadyClock _clock;
    private readonly MemoryCache _cache;
    private readonly long _limit;
    // Nothing is looked up where none was ever kept.
    private volatile bool _knowsFailures;
    private readonly SemaphoreSlim _makingRoom = new(1);
    private readonly Lock[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];

    public JobMemory(IOptionsMonitor<JobsOptions> options, PurgeMarks purges, CacheMetrics metrics, SteadyClock clock)
    {
        _options = options;
        _purges = purges;
        _clock = clock;
        _limit = options.CurrentValue.MemoryBytes;
        _cache = new MemoryCache(new MemoryCacheOptions { SizeLimit = _limit, TrackStatistics = true });
        metrics.ObserveMemory(() => Bytes);
    }

    /// <summary>What it weighs.</summary>
    public long Bytes => _cache.GetCurrentStatistics()?.CurrentEstimatedSize ?? 0;

    public JobSnapshot? Find(JobKey key) => _cache.TryGetValue(key, out var found) ? (JobSnapshot?)found : null;

    /// <summary>
    /// Keeps a snapshot for as long as it may be of use, unless what is here outranks it. Where there is no room for
    /// it, what was used last long ago gives way, on the thread pool.
    /// </summary>
    /// <returns>The one that counts.</returns>
    public async ValueTask<JobSnapshot> KeepAsync(JobKey key, JobSnapshot snapshot)
    {
        for (var tries = 1; ; tries++)
        {
            if (TryKeep(key, snapshot, out var counts) || tries == MostTries) return counts;
            await MakeRoomAsync(snapshot.Size);
        }
    }

    /// <summary>The same; where there is no room for it, it is not kept.</summary>
    public JobSnapshot Keep(JobKey key, JobSnapshot snapshot)
    {
        TryKeep(key, snapshot, out var counts);
        return counts;
    }

    /// <returns>False: there is no room.</returns>
    private bool TryKeep(JobKey key, JobSnapshot snapshot, out JobSnapshot counts)
    {
        counts = snapshot;
        lock (_locks[(uint)key.GetHashCode() % _locks.Length])
        {
            var (staleIfError, now) = (_options.CurrentValue.StaleIfError, _clock.Now);
            if (Find(key) is { } kept && kept.Retention(staleIfError, now) > TimeSpan.Zero && !snapshot.Outranks(kept))
            {
                counts = kept;
                return true;
            }
            var hasRoom = TrySet(key, snapshot, snapshot.Retention(staleIfError, now));
            // Looked up last: a purge marks first and removes afterwards, so one of the two sees the other.
            if (snapshot.Order <= _purges.LatestOf(key)) _cache.Remove(key);
            return hasRoom;
        }
    }

    /// <summary>Weighs a snapshot again, which has grown.</summary>
    public async ValueTask WeighAsync(JobKey key, JobSnapshot snapshot)
    {
        if (TryWeigh(key, snapshot)) return;
        // The cache has refused it, and with it what was there.
        await MakeRoomAsync(snapshot.Size);
        await KeepAsync(key, snapshot);
    }

    private bool TryWeigh(JobKey key, JobSnapshot snapshot)
    {
        lock (_locks[(uint)key.GetHashCode() % _locks.Length])
        {
            return Find(key) != snapshot
                || TrySet(key, snapshot, snapshot.Retention(_options.CurrentValue.StaleIfError, _clock.Now));
        }
    }

    /// <summary>The last fill of this job, where it failed and is not to be repeated yet.</summary>
    public FailedFill? FindFailure(JobKey key) =>
        FindBackOff(key) is { } backOff && backOff.Until - _clock.Now is { Ticks: > 0 } left ? backOff.Failure.Later(left) : null;

    /// <summary>The last fill of this job, where it failed, also when the next may begin or has begun.</summary>
    public FailedFill? FindLastFailure(JobKey key) =>
        FindBackOff(key) is { } backOff ? backOff.Failure.Later(backOff.Until - _clock.Now) : null;

    /// <summary>
    /// Remembers a failure until the next fill ends, for a minute after that may begin at most, or until it is purged.
    /// </summary>
    public async ValueTask KeepAsync(JobKey key, FailedFill failure)
    {
        for (var tries = 1; !TryKeep(key, failure) && tries < MostTries; tries++) await MakeRoomAsync(SizeOf(failure));
    }

    /// <summary>The same; where there is no room for it, it is not kept.</summary>
    public void Keep(JobKey key, FailedFill failure) => TryKeep(key, failure);

    /// <returns>False: there is no room.</returns>
    private bool TryKeep(JobKey key, FailedFill failure)
    {
        if (failure.BackOff <= TimeSpan.Zero)
        {
            ForgetFailure(key);
            return true;
        }
        _knowsFailures = true;
        var hasRoom = TrySet(new FailureKey(key), new BackOff(failure, _clock.Now + failure.BackOff), failure.BackOff + FailureStay,
            SizeOf(failure), CacheItemPriority.Low);
        if (failure.Order <= _purges.LatestOf(key)) _cache.Remove(new FailureKey(key));
        return hasRoom;
    }

    private static long SizeOf(FailedFill failure) => FailureSize + failure.Answer.Body.Length;

    /// <summary>Whether no node had a snapshot when it was looked for after the last failure.</summary>
    public bool IsNowhereSinceFailure(JobKey key) => FindBackOff(key) is { IsNowhere: true };

    /// <summary>Notes that no node has a snapshot.</summary>
    public void NoteNowhereSinceFailure(JobKey key)
    {
        if (FindBackOff(key) is { } backOff) backOff.IsNowhere = true;
    }

    public void ForgetFailure(JobKey key)
    {
        if (_knowsFailures) _cache.Remove(new FailureKey(key));
    }

    /// <summary>Removes all that a purge concerns. The mark must have been set.</summary>
    /// <returns>How many jobs that were.</returns>
    public int Remove(PurgeScope scope)
    {
        var removed = 0;
        foreach (var name in _cache.Keys)
        {
            if (name is FailureKey failure && scope.Covers(failure.Job)) _cache.Remove(failure);
            if (name is not JobKey key || !scope.Covers(key)) continue;
            lock (_locks[(uint)key.GetHashCode() % _locks.Length])
            {
                if (Find(key) is not { } kept || kept.Order > _purges.LatestOf(key)) continue;
                _cache.Remove(key);
                removed++;
            }
        }
        return removed;
    }

    /// <summary>Removes a job that a fetch of this order found gone on any node; a later answer stays.</summary>
    public void RemoveGone(JobKey key, long order)
    {
        lock (_locks[(uint)key.GetHashCode() % _locks.Length])
        {
            if (Find(key)?.Order < order) _cache.Remove(key);
        }
    }

    /// <summary>Removes all whose order nobody can have been given yet.</summary>
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
        if (retention > TimeSpan.Zero) return TrySet(key, snapshot, retention < LongestStay ? retention : LongestStay, snapshot.Size);
        // The snapshot that it took the place of must not come back.
        _cache.Remove(key);
        return true;
    }

    // The cache refuses what does not fit. What is larger than all of it never does.
    private bool TrySet(object name, object value, TimeSpan stay, long size, CacheItemPriority priority = CacheItemPriority.Normal)
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
    /// Makes room for so many bytes. That takes a look at everything, tens of milliseconds where there are many jobs:
    /// it is done by one at a time, without a lock that others may wait for, and on no I/O thread.
    /// </summary>
    private async Task MakeRoomAsync(long size)
    {
        await _makingRoom.WaitAsync();
        try
        {
            await Task.Yield();
            while (Bytes + size > _limit && _cache.Count is > 0 and var count)
            {
                // A part of what is there by number, and one at the least.
                _cache.Compact(Math.Min(1, Math.Max(RoomAtOnce, 1.5 / count)));
            }
        }
        finally
        {
            _makingRoom.Release();
        }
    }

    private BackOff? FindBackOff(JobKey key) => _knowsFailures && _cache.TryGetValue(new FailureKey(key), out var found) ? found as BackOff : null;

    private sealed record FailureKey(JobKey Job);

    private sealed record BackOff(FailedFill Failure, DateTimeOffset Until)
    {
        private volatile bool _isNowhere;

        public bool IsNowhere { get => _isNowhere; set => _isNowhere = value; }
    }
}
