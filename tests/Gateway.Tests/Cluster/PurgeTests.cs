using System.Diagnostics;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>Which jobs a purge removes, and which it keeps.</summary>
[Trait("Redis", "any")]
public sealed class PurgeTests(RedisServer redis)
{
    private readonly string _account = Purging.NewAccount();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Theory]
    [InlineData("/survey-1/JOB", 1)]
    [InlineData("/survey-1", 2)]
    [InlineData("", 3)]
    public async Task A_purge_removes_exactly_the_jobs_in_its_scope(string scope, int inScope)
    {
        await using var world = await WorldAsync(redis.ConnectionString);
        await AssertPurgeAsync(world, world.AddGateway(),
            _account + scope.Replace("JOB", _job, StringComparison.Ordinal), inScope);
    }

    [Fact]
    public async Task A_purge_of_everything_removes_everything()
    {
        await using var own = new RedisServer();
        await own.InitializeAsync();
        await using var world = await WorldAsync(own.ConnectionString);
        await AssertPurgeAsync(world, world.AddGateway(), "", 4);
    }

    [Theory]
    [InlineData("ACCOUNT/survey-1/JOB", 1)]
    [InlineData("ACCOUNT/survey-1", 2)]
    [InlineData("ACCOUNT", 3)]
    [InlineData("", 4)]
    public async Task A_purge_without_Redis_removes_the_same_jobs_from_memory(string scope, int inScope)
    {
        await using var world = await WorldAsync("");
        await AssertPurgeAsync(world, null, scope.Replace("ACCOUNT", _account, StringComparison.Ordinal)
            .Replace("JOB", _job, StringComparison.Ordinal), inScope);
    }

    [Fact]
    public async Task A_purge_accepts_an_account_name_in_any_case()
    {
        await using var world = await WorldAsync(redis.ConnectionString);
        await Purging.IsHitAsync(world.Gateway, _job);
        using var answer = await Purging.PurgeAsync(world.Gateway, $"{_account.ToUpperInvariant()}/survey-1/{_job}");
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));
    }

    [Fact]
    public async Task A_purge_counts_jobs_in_Redis_and_in_memory_separately()
    {
        await using var world = await WorldAsync(redis.ConnectionString);
        var other = world.AddGateway();
        await Purging.IsHitAsync(other, _job);
        Assert.Equal((1, 0), await Purging.CountAsync(world.Gateway, _account));
        Assert.Equal((0, 0), await Purging.CountAsync(world.Gateway, _account));
    }

    [Fact]
    public async Task A_purge_removes_more_than_one_page_of_jobs()
    {
        await using var world = await WorldAsync(redis.ConnectionString);
        foreach (var some in Enumerable.Range(0, 1100).Chunk(50))
        {
            await Task.WhenAll(some.Select(i => Purging.IsHitAsync(world.Gateway, $"{_job}-{i}")));
        }
        Assert.Equal((1100, 1100), await Purging.CountAsync(world.Gateway, $"{_account}/survey-1"));
    }

    [Fact]
    public async Task A_purge_is_published_to_the_other_nodes()
    {
        await using var world = await WorldAsync(redis.ConnectionString);
        var other = world.AddGateway();
        var heard = TimeSpan.Zero;
        for (var round = 0; round < 10; round++)
        {
            await Purging.IsHitAsync(world.Gateway, _job);
            Assert.True(await Purging.IsHitAsync(other, _job));
            await Purging.CountAsync(world.Gateway, _account);
            var waiting = Stopwatch.StartNew();
            await Wait.UntilAsync(
                Purging.Promised, async () => !await Purging.IsHitAsync(other, _job), "the other node has the purge");
            heard += waiting.Elapsed;
        }
        // Looking once a second would take at least nine seconds, because each round begins just after a look.
        Assert.InRange(heard, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("ACCOUNT/survey-1/JOB")]
    [InlineData("ACCOUNT")]
    public async Task A_purge_ends_the_back_off_of_a_failed_job_on_all_nodes(string scope)
    {
        await using var world = await WorldAsync(redis.ConnectionString, ("Jobs:RunningLifetime", "00:01:00"));
        var (other, third) = (world.AddGateway(), world.AddGateway());
        world.Upstream.Faults.Add(new Fault { Job = $"{_job}*", Kind = FaultKind.Status, Status = 500, Times = 2 });
        foreach (var node in (GatewayNode[])[world.Gateway, other, world.Gateway, other])
        {
            using var failed = await World.GetAsync(node, _job);
            using var failedToo = await World.GetAsync(node, $"{_job}x");
            Assert.Equal((502, 502), ((int)failed.StatusCode, (int)failedToo.StatusCode));
        }
        Assert.Equal(2, world.Upstream.Ledger.Total);

        await Purging.CountAsync(world.Gateway, scope.Replace("ACCOUNT", _account, StringComparison.Ordinal)
            .Replace("JOB", _job, StringComparison.Ordinal));

        await Wait.UntilAsync(Purging.Promised, async () =>
        {
            using var answer = await World.GetAsync(other, _job);
            return answer.IsSuccessStatusCode;
        }, "the other node fetches again");
        Assert.True(await Purging.IsHitAsync(world.Gateway, _job));
        // A job outside the scope still waits for its back-off on every node.
        await Wait.UntilAsync(Purging.Promised, async () =>
        {
            using var answer = await World.GetAsync(third, $"{_job}x");
            return answer.IsSuccessStatusCode == (scope == "ACCOUNT");
        }, "the other job follows its own scope");
        Assert.Equal(scope == "ACCOUNT" ? 4 : 3, world.Upstream.Ledger.Total);
    }

    // Four jobs with similar names. The first is in every scope, and the last only in the scope of everything.
    private async Task AssertPurgeAsync(World world, GatewayNode? other, string scope, int inScope)
    {
        var node = world.Gateway;
        var jobs = new[]
        {
            (_job, "survey-1", World.MappingKey), (_job + "x", "survey-1", World.MappingKey),
            (_job, "survey-12", World.MappingKey), (_job, "survey-1", World.SurveyKey),
        };
        foreach (var (job, workflow, key) in jobs)
        {
            Assert.False(await Purging.IsHitAsync(node, job, workflow, key));
            Assert.True(await Purging.IsHitAsync(other ?? node, job, workflow, key));
        }

        var counts = await Purging.CountAsync(node, scope);

        Assert.Equal((other is null ? 0 : inScope, inScope), counts);
        if (other is not null)
        {
            await Wait.UntilAsync(
                Purging.Promised, async () => !await Purging.IsHitAsync(other, _job), "the other node has the purge");
            world.Upstream.Ledger.Clear();
        }
        var hits = new List<bool>();
        foreach (var (job, workflow, key) in jobs)
            hits.Add(await Purging.IsHitAsync(other ?? node, job, workflow, key));
        Assert.Equal(jobs.Select((_, i) => i >= inScope || (i == 0 && other is not null)), hits);
        foreach (var (job, workflow, key) in jobs) Assert.True(await Purging.IsHitAsync(node, job, workflow, key));
        Assert.Equal(other is null ? jobs.Length + inScope : inScope - 1, world.Upstream.Ledger.Total);
    }

    private Task<World> WorldAsync(string connectionString, params (string Key, string? Value)[] settings) =>
        World.StartAsync([
        ("ConnectionStrings:Redis", connectionString), .. Purging.Operator, .. Purging.Account(_account),
        .. Purging.Account(_account + "b", "survey"), .. settings]);
}
