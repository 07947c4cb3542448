using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>Two nodes on a real Redis Cluster of three masters.</summary>
public sealed class RedisClusterTests
{
    private const double Finished = 1000;

    private static readonly string[] Jobs = [.. Enumerable.Range(0, 30).Select(i => $"finished-{i}")];

    [Fact]
    public async Task Concurrent_requests_on_two_nodes_cost_one_call_per_job_on_a_Redis_Cluster()
    {
        await using var cluster = await RedisCluster.StartAsync();
        await using var world = await WorldAsync(cluster);
        var other = world.AddGateway();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromMilliseconds(300) });

        await Task.WhenAll(
            Jobs.SelectMany(job => new[] { Purging.IsHitAsync(world.Gateway, job), Purging.IsHitAsync(other, job) }));

        Assert.Equal(Jobs.Length, world.Upstream.Ledger.Total);
        var counts = await cluster.CountAsync();
        Assert.Equal(Jobs.Length, counts.Sum());
        Assert.Equal(3, counts.Length);
        Assert.DoesNotContain(0, counts);
        var third = world.AddGateway();
        Assert.All(await EachAsync(job => Purging.IsHitAsync(third, job)), Assert.True);
        Assert.Equal(Jobs.Length, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task The_progress_of_a_running_job_never_decreases_between_nodes()
    {
        await using var cluster = await RedisCluster.StartAsync();
        await using var world = await WorldAsync(cluster, ("Jobs:RunningLifetime", "00:00:00.100"));
        GatewayNode[] nodes = [world.Gateway, world.AddGateway()];

        var readings = await Task.WhenAll(Enumerable.Range(0, 6).Select(async i =>
        {
            var seen = new List<double>();
            while (seen.LastOrDefault() < Finished) seen.Add(await ProgressAsync(nodes[seen.Count % 2], $"run-3-{i}"));
            return seen;
        }));

        Assert.All(readings, seen =>
        {
            Assert.Equal(seen.Order(), seen);
            Assert.True(seen.Distinct().Count() > 2, "The job was not seen running.");
        });
    }

    [Fact]
    public async Task A_purge_covers_all_masters_and_keeps_jobs_outside_its_scope()
    {
        await using var cluster = await RedisCluster.StartAsync();
        await using var world = await WorldAsync(
            cluster, [.. Purging.Account("a"), .. Purging.Account("ab", "survey")]);
        var other = world.AddGateway();
        await EachAsync(job => Purging.IsHitAsync(world.Gateway, job, "survey-1"));
        await EachAsync(job => Purging.IsHitAsync(world.Gateway, job, "survey-12"));
        await EachAsync(job => Purging.IsHitAsync(world.Gateway, job, "survey-1", World.SurveyKey));
        await EachAsync(job => Purging.IsHitAsync(other, job, "survey-1"));
        await EachAsync(job => Purging.IsHitAsync(other, job, "survey-12"));

        Assert.Equal((1, 1), await Purging.CountAsync(world.Gateway, $"a/survey-1/{Jobs[0]}"));
        Assert.Equal((29, 29), await Purging.CountAsync(world.Gateway, "a/survey-1"));

        await Wait.UntilAsync(
            Purging.Promised, async () => !await Purging.IsHitAsync(other, Jobs[0]), "the other node has the purge");
        Assert.All(await EachAsync(job => Purging.IsHitAsync(other, job, "survey-12")), Assert.True);
        Assert.All((await EachAsync(job => Purging.IsHitAsync(other, job)))[1..], Assert.False);
        Assert.Equal(60, (await cluster.CountAsync("gateway:{a/*}")).Sum());
        Assert.Equal((60, 30), await Purging.CountAsync(world.Gateway, "a"));
        Assert.Equal(30, (await cluster.CountAsync()).Sum());
        Assert.Equal((30, 30), await Purging.CountAsync(world.Gateway, ""));
        Assert.Equal(0, (await cluster.CountAsync()).Sum());
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Every_job_is_answered_while_one_master_is_down(bool fullCoverage, bool holdsLog)
    {
        await using var cluster = await RedisCluster.StartAsync(fullCoverage);
        // Running jobs have a zero lifetime, so they are fetched each time.
        await using var world = await WorldAsync(
            cluster, ("Redis:Timeout", "00:00:00.100"), ("Jobs:RunningLifetime", "00:00:00"));
        var other = world.AddGateway();
        string[] jobs = [.. Jobs, .. Jobs.Select(job => job.Replace("finished", "run-300", StringComparison.Ordinal))];
        foreach (var job in jobs) await Purging.IsHitAsync(world.Gateway, job);

        await cluster.KillAsync(holdsLog);

        // Before the other masters have noticed the failure, and long after.
        var late = world.AddGateway();
        for (var round = 0; round < 3; round++)
        {
            foreach (var node in (GatewayNode[])[world.Gateway, other, late])
            {
                foreach (var job in jobs) await Purging.IsHitAsync(node, job);
                await Purging.IsHitAsync(node, $"finished-{Guid.NewGuid():N}");
            }
            await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
        }
        Assert.All(await EachAsync(job => Purging.IsHitAsync(late, job)), Assert.True);
        using var purge = await Purging.PurgeAsync(world.Gateway, "");
        Assert.Contains(purge.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable]);
        Assert.All(await EachAsync(job => Purging.IsHitAsync(world.Gateway, job)), Assert.False);
    }

    private static async Task<double> ProgressAsync(GatewayNode node, string job)
    {
        using var answer = await World.GetAsync(node, job);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
        return body.GetProperty("status").GetString() == "completed" ? Finished : Progress(body);
    }

    private static double Progress(JsonElement body) => double.Parse(body.GetProperty("progress").GetString()!);

    private static Task<bool[]> EachAsync(Func<string, Task<bool>> ask) => Task.WhenAll(Jobs.Select(ask));

    private static Task<World> WorldAsync(RedisCluster cluster, params (string Key, string? Value)[] settings) =>
        World.StartAsync(
            [("ConnectionStrings:Redis", cluster.ConnectionString), .. Purging.Operator, .. settings]);
}
