using Gateway.Jobs;
using Gateway.Redis;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Where snapshots are: in this node's memory, and in Redis where it is of use. In both a snapshot gives way only to one
/// that outranks it, so a late answer cannot take a job back to where it was.
/// </summary>
internal sealed class JobCache(JobMemory memory, SharedJobs shared, Pacing pacing, IOptionsMonitor<JobsOptions> options)
{
    /// <summary>What this node's memory has. It neither waits nor leaves the process.</summary>
    public JobSnapshot? FindInMemory(JobKey key) => memory.Find(key);

    /// <summary>What any node has. Redis is asked also where memory has a snapshot, for another node's may be newer.</summary>
    public async ValueTask<SharedJobs.Found> FindAsync(JobKey key, TimeBudget budget) =>
        await KeepAsync(key, await shared.FindAsync(key, budget));

    /// <summary>The same; where Redis has nothing, asks to fetch the job, in the same trip. Memory must have been looked at.</summary>
    public async ValueTask<(SharedJobs.Found Found, FetchLock? Lock)> FindOrLockAsync(JobKey key, long awaited, TimeSpan lease, TimeBudget budget)
    {
        var above = memory.Find(key)?.Order ?? 0;
        var (found, fetchLock) = await shared.FindOrLockAsync(key, awaited, lease, budget, above);
        return (await KeepAsync(key, found), fetchLock);
    }

    /// <summary>Stores a snapshot for as long as it may be of use, and releases the fetch lock.</summary>
    /// <returns>The snapshot that counts, this one or what outranks it, and whether it is kept anywhere.</returns>
    public async ValueTask<(JobSnapshot Counts, bool IsKept)> StoreAsync(JobKey key, JobSnapshot snapshot, FetchLock.Acquired? fetchLock, TimeBudget budget)
    {
        var retention = snapshot.Retention(options.CurrentValue.StaleIfError, snapshot.FetchedAt);
        var stored = await shared.StoreAsync(key, snapshot, retention, fetchLock, budget);
        // Unless what is there is not what it claims to be.
        if (stored == false && (await shared.FindAsync(key, budget)).Snapshot is { } better && better.Outranks(snapshot)) snapshot = better;
        var counts = await KeepAsync(key, snapshot, isNews: true);
        return (counts, stored == true || memory.Find(key) == counts);
    }

    private async ValueTask<SharedJobs.Found> KeepAsync(JobKey key, SharedJobs.Found found) => found with
    {
        Snapshot = found.Snapshot is { } theirs ? await KeepAsync(key, theirs, isNews: false) : memory.Find(key),
    };

    private ValueTask<JobSnapshot> KeepAsync(JobKey key, JobSnapshot snapshot, bool isNews)
    {
        pacing.Observe(key, snapshot, isNews);
        // Read now: the whole body is looked through for them, and a hit may be answered on an I/O thread.
        if (snapshot.Kind == VerdictKind.Running) _ = snapshot.Times;
        return memory.KeepAsync(key, snapshot);
    }
}
