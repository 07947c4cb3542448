using System.Text;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Cluster;

/// <summary>
/// A finished job is stored in three steps: a script notes that it is finished, the distributed cache writes its
/// bytes, and a script releases the lock. Other nodes can act between the steps.
/// </summary>
[Trait("Redis", "any")]
public sealed class FinishedJobStoreTests(RedisServer redis) : IAsyncLifetime
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly RedisConnection _redis = Fixed.Redis(redis.ConnectionString);
    private readonly JobKey _key = NewKey();
    private ServiceProvider _services = null!;
    private RedisMetrics _metrics = null!;

    [Fact]
    public async Task A_finished_job_is_an_entry_of_the_distributed_cache()
    {
        var node = NewNode(new StepCache(_redis));
        var fetch = await LockAsync(node);

        Assert.True(await StoreAsync(node, Snapshot(fetch.Order, VerdictKind.Finished), fetch));

        using var cache = Fixed.Cache(_redis);
        var bytes = await cache.GetAsync($"{_key.Name}:finished", World.Cancellation);
        Assert.Equal(VerdictKind.Finished, SnapshotEnvelope.Read(bytes, _key.Name, out _)!.Kind);
        Assert.Equal(fetch.Order, (await FindAsync(node)).Snapshot!.Order);
        Assert.IsType<FetchLock.Acquired>(await TryLockAsync(node, known: fetch.Order));
    }

    [Fact]
    public async Task Other_nodes_wait_while_the_bytes_are_written()
    {
        var cache = new StepCache(_redis);
        var (node, other) = (NewNode(cache), NewNode(new StepCache(_redis)));
        var fetch = await LockAsync(node);
        FetchLock? theirs = null;
        cache.BeforeWrite = async () => theirs = await TryLockAsync(other);

        Assert.True(await StoreAsync(node, Snapshot(fetch.Order, VerdictKind.Finished), fetch));

        Assert.IsType<FetchLock.HeldElsewhere>(theirs);
        Assert.Equal(fetch.Order, (await FindAsync(other)).Snapshot!.Order);
    }

    [Fact]
    public async Task A_failed_write_of_the_bytes_leaves_the_job_to_the_next_fetch()
    {
        var cache = new StepCache(_redis)
        {
            BeforeWrite = () => throw new InvalidOperationException("It cannot write."),
        };
        var (node, other) = (NewNode(cache), NewNode(new StepCache(_redis)));
        var fetch = await LockAsync(node);

        Assert.False(await StoreAsync(node, Snapshot(fetch.Order, VerdictKind.Finished), fetch));

        Assert.Null((await FindAsync(other)).Snapshot);
        Assert.IsType<FetchLock.Acquired>(await TryLockAsync(other));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_death_of_a_node_before_it_writes_the_bytes_leaves_the_job_to_the_next_fetch(bool isKnown)
    {
        var (node, other) = (NewNode(new StepCache(_redis)), NewNode(new StepCache(_redis)));
        var fetch = await LockAsync(node);
        await _redis.AskAsync<object>(async database => await database.ScriptEvaluateAsync(
            ScriptFile.Read("store-job"),
            [Name, $"{Name}:lock", $"{Name}:finished"],
            [fetch.Lock, fetch.Order, 1, "", 60_000, 0, "nobody", "nobody"]), _redis.NewTimeBudget());
        Assert.IsType<FetchLock.HeldElsewhere>(await TryLockAsync(other));
        await DeleteAsync($"{Name}:lock");

        Assert.IsType<FetchLock.Acquired>(await TryLockAsync(other, isKnown ? fetch.Order - 1 : null));
    }

    [Fact]
    public async Task A_late_write_does_not_bring_back_a_job_that_is_gone()
    {
        var cache = new StepCache(_redis);
        var (node, other) = (NewNode(cache), NewNode(new StepCache(_redis)));
        var fetch = await LockAsync(node);
        cache.BeforeWrite = async () =>
        {
            await DeleteAsync($"{Name}:lock");
            var theirs = await LockAsync(other);
            Assert.True(await StoreAsync(other, Snapshot(theirs.Order, VerdictKind.NotFound), theirs));
        };

        Assert.False(await StoreAsync(node, Snapshot(fetch.Order, VerdictKind.Finished), fetch));

        Assert.Equal(VerdictKind.NotFound, (await FindAsync(other)).Snapshot!.Kind);
        Assert.False(await ExistsAsync($"{Name}:finished"));
    }

    [Fact]
    public async Task A_finished_job_whose_note_was_evicted_is_still_served()
    {
        var node = NewNode(new StepCache(_redis));
        var fetch = await LockAsync(node);
        await StoreAsync(node, Snapshot(fetch.Order, VerdictKind.Finished), fetch);
        await DeleteAsync(Name);

        Assert.Equal(fetch.Order, (await FindAsync(node)).Snapshot!.Order);
        Assert.False(await StoreAsync(node, Snapshot(fetch.Order + 1, VerdictKind.Running), fetch: null));
        Assert.Equal(VerdictKind.Finished, (await FindAsync(node)).Snapshot!.Kind);
    }

    public ValueTask InitializeAsync()
    {
        _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        _metrics = new RedisMetrics(_services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());
        _redis.MarkAvailable();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _redis.Dispose();
        await _services.DisposeAsync();
    }

    private string Name => _key.Name;

    private static JobKey NewKey()
    {
        Assert.True(JobAddress.TryCreate("finished", $"{Guid.NewGuid():N}", out var address));
        return new JobKey("default", address);
    }

    private SharedJobs NewNode(IDistributedCache cache) => new(
        _redis, cache, new OrphanedLocks(_redis), new PurgeMarks(), _metrics, new SteadyClock(TimeProvider.System));

    private async Task<FetchLock.Acquired> LockAsync(SharedJobs node) =>
        Assert.IsType<FetchLock.Acquired>(await TryLockAsync(node));

    // Takes the lock like a fill.
    private async Task<FetchLock?> TryLockAsync(SharedJobs node, long? known = null)
    {
        var budget = _redis.NewTimeBudget();
        var (found, fetchLock) = known is null
            ? await node.FindOrLockAsync(_key, awaited: 0, Minute, budget) : (await node.FindAsync(_key, budget), null);
        return fetchLock ?? await node.LockAsync(_key, known ?? 0, awaited: 0, found.Unusable, Minute, budget);
    }

    private async Task<bool?> StoreAsync(SharedJobs node, JobSnapshot snapshot, FetchLock.Acquired? fetch) =>
        await node.StoreAsync(_key, snapshot, Minute, fetch, _redis.NewTimeBudget());

    private async Task<SharedJobs.Found> FindAsync(SharedJobs node) =>
        await node.FindAsync(_key, _redis.NewTimeBudget());

    private static JobSnapshot Snapshot(long order, VerdictKind kind) => JobSnapshot.From(
        Encoding.UTF8.GetBytes("""{"id":"job"}"""),
        new Verdict(kind, Minute), order, DateTimeOffset.UtcNow);

    private async Task DeleteAsync(string name) => await _redis.AskAsync<object>(
        async database => await database.KeyDeleteAsync(name), _redis.NewTimeBudget());

    private async Task<bool> ExistsAsync(string name) => (bool)(await _redis.AskAsync<object>(
        async database => await database.KeyExistsAsync(name), _redis.NewTimeBudget()))!;

    /// <summary>The distributed cache of finished jobs, with a callback before each write.</summary>
    private sealed class StepCache(RedisConnection redis) : IDistributedCache
    {
        private readonly RedisCache _cache = Fixed.Cache(redis);

        public Func<Task> BeforeWrite { get; set; } = () => Task.CompletedTask;

        public async Task SetAsync(
            string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
        {
            await BeforeWrite();
            await _cache.SetAsync(key, value, options, token);
        }

        public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => _cache.GetAsync(key, token);

        public byte[]? Get(string key) => throw new NotSupportedException();

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) =>
            throw new NotSupportedException();

        public void Refresh(string key) => throw new NotSupportedException();

        public Task RefreshAsync(string key, CancellationToken token = default) => throw new NotSupportedException();

        public void Remove(string key) => throw new NotSupportedException();

        public Task RemoveAsync(string key, CancellationToken token = default) => throw new NotSupportedException();
    }
}
