using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>The load on Redis when many callers wait for a job whose last fill failed.</summary>
public sealed class FailureLookTests
{
    private const int Waiters = 100;

    // Larger than the smallest allowed Jobs:MemoryBytes.
    private const string Large = "run-300.size-2048";

    [Fact]
    public async Task Callers_who_wait_for_a_job_after_a_failure_share_one_Redis_lookup()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:RunningLifetime", "00:00:10"),
            ("Upstream:Timeout", "00:00:30"));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        await FailAsync();
        await CommandStatistics.ResetAsync(redis);

        // No request calls the upstream during the back-off.
        var calls = world.Upstream.Ledger.Calls.Count;
        for (var i = 0; i < Waiters; i++) await FailAsync();
        Assert.Equal(calls, world.Upstream.Ledger.Calls.Count);
        Assert.InRange(await LookupsAsync(), 0, 4);

        // After the back-off one fill is running, which takes longer than callers wait.
        world.Upstream.Faults.Clear();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Hang });
        await Task.Delay(TimeSpan.FromSeconds(5.5), World.Cancellation);
        await CommandStatistics.ResetAsync(redis);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Waiters / 4 };
        await Parallel.ForAsync(0, Waiters, parallel, async (_, _) => await FailAsync());
        Assert.InRange(await LookupsAsync(), 0, 10);

        async Task FailAsync()
        {
            using var answer = await world.GetAsync("run-300-unseen");
            Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        }

        Task<int> LookupsAsync() => CommandStatistics.CountAsync(redis, "hstrlen", "hmget", "hget");
    }

    [Fact]
    public async Task Another_nodes_snapshot_is_served_after_a_failure_until_it_is_purged()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        // The job does not fit into the memory of this node, which therefore reads it from Redis.
        await using var world = await World.StartAsync([.. Purging.Operator, .. World.DefaultAccount,
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Jobs:RunningLifetime", "00:00:01"),
            ("Jobs:StaleIfError", "00:10:00")]);
        var small = world.AddGateway(("Jobs:MemoryBytes", "1048576"));
        using (var first = await world.GetAsync(Large)) Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        await Task.Delay(TimeSpan.FromSeconds(1.2), World.Cancellation);

        for (var i = 0; i < 5; i++)
        {
            using var stale = await World.GetAsync(small, Large);
            Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        }
        using (var purged = await Purging.PurgeAsync(small, "default"))
            Assert.Equal(HttpStatusCode.OK, purged.StatusCode);
        using var gone = await World.GetAsync(small, Large);
        Assert.Equal(HttpStatusCode.BadGateway, gone.StatusCode);
    }
}
