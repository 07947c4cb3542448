using Gateway.Jobs;
using Gateway.Redis;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Keeps snapshots in this node's memory, and in Redis while it is available. Both replace a snapshot only with one
/// that outranks it, so a late answer cannot take a job back to an earlier state.
/// </summary>
internal sealed class JobCache(JobMemory memory, SharedJobs shared, Pacing pacing, IOptionsMonitor<JobsOptions> options)
{
    /// <summary>Raised when a newer snapshot of a job is stored in this node's memory.</summary>
    public event Action<JobKey>? Stored;

    /// <summary>Finds the snapshot in this node's memory, without waiting.</summary>
    public JobSnapshot? FindInMemory(JobKey key) => memory.Find(key);

    /// <summary>
    /// Finds the newest snapshot of any node. Asks Redis even if memory has one, because another node's may be newer.
    /// </summary>
    public async ValueTask<SharedJobs.Found> FindAsync(JobKey key, TimeBudget budget) =>
        await KeepAsync(key, await shared.FindAsync(key, budget));

    /// <summary>
    /// Finds the newest snapshot, or tries to acquire the fetch lock in the same trip. The caller has looked into
    /// memory.
    /// </summary>
    public async ValueTask<(SharedJobs.Found Found, FetchLock? Lock)> FindOrLockAsync(
        JobKey key, long awaited, TimeSpan longest, TimeBudget budget)
    {
        var above = memory.Find(key)?.Order ?? 0;
        var (found, fetchLock) = await shared.FindOrLockAsync(key, awaited, longest, budget, above);
        return (await KeepAsync(key, found), fetchLock);
    }

    /// <summary>Stores a snapshot for as long as it may be served, and releases the fetch lock.</summary>
    /// <returns>
    /// The snapshot that is valid now, which may be another one that outranks it, and whether it is stored anywhere.
    /// </returns>
    public async ValueTask<(JobSnapshot Current, bool IsStored)> StoreAsync(
        JobKey key, JobSnapshot snapshot, FetchLock.Acquired? fetchLock, TimeBudget budget)
    {
        var retention = snapshot.Retention(options.CurrentValue.StaleIfError, snapshot.FetchedAt);
        var stored = await shared.StoreAsync(key, snapshot, retention, fetchLock, budget);
        // A value in Redis that cannot be read does not outrank this one.
        if (stored == false)
        {
            var (better, _) = await shared.FindAsync(key, budget);
            if (better?.Outranks(snapshot) == true) snapshot = better;
        }
        var current = await KeepAsync(key, snapshot, isFetched: true);
        return (current, stored == true || memory.Find(key) == current);
    }

    private async ValueTask<SharedJobs.Found> KeepAsync(JobKey key, SharedJobs.Found found) => found with
    {
        Snapshot = found.Snapshot is { } theirs ? await KeepAsync(key, theirs, isFetched: false) : memory.Find(key),
    };

    private async ValueTask<JobSnapshot> KeepAsync(JobKey key, JobSnapshot snapshot, bool isFetched)
    {
        pacing.Observe(key, snapshot, isFetched);
        // Parse the times now: that reads the whole body, and a hit may be answered on an I/O thread.
        if (snapshot.Kind == VerdictKind.Running) _ = snapshot.Times;
        var current = await memory.KeepAsync(key, snapshot);
        if (current == snapshot) Stored?.Invoke(key);
        return current;
    }
}
