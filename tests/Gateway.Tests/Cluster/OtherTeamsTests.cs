using System.Diagnostics;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>Two teams share an account. Failures of one team's jobs do not affect the other team.</summary>
[Trait("Redis", "any")]
public sealed class OtherTeamsTests(RedisServer redis)
{
    private const string Account = "Upstream:Accounts:default:";

    [Theory]
    [InlineData(true, 401)]
    [InlineData(false, 401)]
    [InlineData(true, 403)]
    [InlineData(false, 403)]
    public async Task Refused_jobs_of_one_team_do_not_fail_requests_of_another(
        bool withRedis, int refusal)
    {
        await using var world = await StartAsync(withRedis);
        var nodes = Nodes(world, withRedis);
        Assert.Equal("200", await ReadAsync(nodes[0], "finished-worked"));
        world.Upstream.Faults.Add(new Fault { Job = "odd-*", Kind = FaultKind.Status, Status = refusal });

        var (odd, others) = await RequestAsync(TimeSpan.FromSeconds(3), nodes, node =>
            World.GetAsync(node, $"odd-{Random.Shared.Next(8)}"));

        Assert.Equal(["200"], others.Distinct());
        Assert.All(odd, answer => Assert.Equal("403 /problems/upstream-forbidden", answer));
        // At most one trial call a second.
        Assert.InRange(world.Upstream.Ledger.CallsFor("finished-worked"), 1, 6);
        Assert.DoesNotContain(nodes.SelectMany(node => node.Log.All), line =>
            line.StartsWith("Critical", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refused_job_that_is_fetched_first_does_not_mark_the_credential_dead(bool withRedis)
    {
        await using var world = await StartAsync(withRedis);
        var nodes = Nodes(world, withRedis);
        world.Upstream.Faults.Add(new Fault { Job = "odd-1", Kind = FaultKind.Status, Status = 401 });
        foreach (var node in nodes) using (await World.GetAsync(node, "odd-1")) { }

        Assert.Equal("200", await ReadAsync(nodes[^1], $"finished-{Guid.NewGuid():N}"));
        await Wait.UntilAsync(TimeSpan.FromSeconds(5),
            async () => await OutcomeAsync(
                await World.GetAsync(nodes[0], "odd-1")) == "403 /problems/upstream-forbidden",
                "all nodes know that the credential is accepted");
    }

    [Theory]
    [InlineData(true, 401)]
    [InlineData(false, 401)]
    [InlineData(true, 403)]
    [InlineData(false, 403)]
    public async Task A_revoked_credential_is_detected_at_once_by_jobs_that_worked_before(bool withRedis,
        int refusal)
    {
        await using var world = await StartAsync(withRedis);
        var nodes = Nodes(world, withRedis);
        foreach (var workflow in (string[])["survey-1", "survey-2"])
        {
            using var worked = await World.GetAsync(nodes[0], "finished-worked", workflow);
        }
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = refusal });
        world.Upstream.Ledger.Clear();

        Assert.Equal("503 /problems/upstream-credential-refused",
            await OutcomeAsync(await World.GetAsync(nodes[0], "finished-1")));

        foreach (var node in nodes)
        {
            var said = await OutcomeAsync(await World.GetAsync(node, $"finished-{Guid.NewGuid():N}"));
            Assert.Equal("503 /problems/upstream-credential-refused", said);
        }
        // The requested job, and two jobs that worked before.
        Assert.Equal(3, world.Upstream.Ledger.Total);
        Assert.Equal(2, world.Upstream.Ledger.CallsFor("finished-worked"));
        Assert.Contains(nodes.SelectMany(node => node.Log.All), line =>
            line.StartsWith("Critical", StringComparison.Ordinal));
        world.Upstream.Faults.Clear();
        await Wait.UntilAsync(TimeSpan.FromSeconds(25), async () =>
            await ReadAsync(nodes[^1], $"finished-{Guid.NewGuid():N}") == "200", "the credential is accepted again");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Slow_jobs_of_one_team_leave_places_for_another_team(bool withRedis)
    {
        await using var world = await StartAsync(withRedis, (Account + "MaxConcurrentRequests", "32"));
        var nodes = Nodes(world, withRedis);
        world.Upstream.Faults.Add(
            new Fault { Job = "slow-*", Kind = FaultKind.Status, Status = 404, Delay = TimeSpan.FromSeconds(8) });
        var slow = Enumerable.Range(0, 40).Select(i => World.GetAsync(nodes[i % nodes.Length], $"slow-{i}")).ToArray();
        await Wait.UntilAsync(TimeSpan.FromSeconds(5), () =>
            world.Upstream.Ledger.Total >= 20, "the slow jobs are under way");

        var watch = Stopwatch.StartNew();
        var answers = new List<string>();
        for (var i = 0; i < 30; i++)
        {
            answers.Add(await ReadAsync(nodes[i % nodes.Length], $"finished-{Guid.NewGuid():N}"));
        }

        Assert.Equal(["200"], answers.Distinct());
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(4));
        Assert.InRange(world.Upstream.Ledger.PerJob.Count(job =>
            job.Key.Contains("/slow-", StringComparison.Ordinal)), 20, 24);
        await Task.WhenAll(slow);
    }

    [Theory]
    [InlineData(true, 5, true)]
    [InlineData(false, 5, true)]
    [InlineData(false, 5, false)]
    [InlineData(false, 20, true)]
    public async Task Broken_jobs_of_one_team_do_not_open_the_circuit_for_another(bool withRedis, int broken,
        bool isWarm)
    {
        await using var world = await StartAsync(withRedis);
        var nodes = Nodes(world, withRedis);
        world.Upstream.Faults.Add(new Fault { Job = "broken-*", Kind = FaultKind.Status, Status = 500 });
        if (isWarm) Assert.Equal("200", await ReadAsync(nodes[0], "finished-worked"));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        var asking = Task.Run(async () =>
        {
            using var second = new PeriodicTimer(TimeSpan.FromSeconds(1));
            do
            {
                var asked = Enumerable.Range(0, broken)
                    .Select(i => World.GetAsync(nodes[i % nodes.Length], $"broken-{i}"));
                foreach (var answer in await Task.WhenAll(asked)) answer.Dispose();
            }
            while (!stop.IsCancellationRequested && await second.WaitForNextTickAsync(World.Cancellation));
        }, World.Cancellation);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () =>
            world.Upstream.Ledger.Total >= 3 * broken, "the broken jobs were fetched three times");

        var answers = new List<string>();
        for (var i = 0; i < 59; i++)
        {
            answers.Add(await ReadAsync(nodes[i % nodes.Length], $"finished-{Guid.NewGuid():N}"));
            await Task.Delay(100, World.Cancellation);
        }
        await stop.CancelAsync();
        await asking;

        Assert.Equal(["200"], answers.Distinct());
        // The circuit does open if the upstream itself fails.
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        var last = "";
        for (var i = 0; i < 40 && !last.Contains("circuit-open", StringComparison.Ordinal); i++)
        {
            using var answer = await World.GetAsync(nodes[0], $"finished-{Guid.NewGuid():N}");
            last = JobTests.CacheStatus(answer);
        }
        Assert.Contains("circuit-open", last, StringComparison.Ordinal);
    }

    // One team sends the given requests, and the other team requests new jobs that work.
    private static async Task<(List<string> Asked, List<string> Others)> RequestAsync(
        TimeSpan time, GatewayNode[] nodes, Func<GatewayNode, Task<HttpResponseMessage>> ask)
    {
        var (asked, others) = (new List<string>(), new List<string>());
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(
            Task.Run(async () =>
            {
                for (var i = 0; watch.Elapsed < time; i++)
                {
                    asked.Add(await OutcomeAsync(await ask(nodes[i % nodes.Length])));
                    await Task.Delay(30, World.Cancellation);
                }
            }, World.Cancellation),
            Task.Run(async () =>
            {
                for (var i = 0; watch.Elapsed < time; i++)
                {
                    others.Add(await ReadAsync(nodes[i % nodes.Length], $"finished-{Guid.NewGuid():N}"));
                    await Task.Delay(70, World.Cancellation);
                }
            }, World.Cancellation));
        return (asked, others);
    }

    private static async Task<string> ReadAsync(GatewayNode node, string job)
    {
        using var answer = await World.GetAsync(node, job, key: World.SurveyKey);
        return answer.IsSuccessStatusCode ? "200" : $"{(int)answer.StatusCode} {JobTests.CacheStatus(answer)}";
    }

    private static async Task<string> OutcomeAsync(HttpResponseMessage answer)
    {
        using (answer) return answer.IsSuccessStatusCode
            ? "200" : $"{(int)answer.StatusCode} {await BoundTests.ProblemTypeAsync(answer)}";
    }

    private Task<World> StartAsync(bool withRedis, params (string, string?)[] settings) =>
        World.StartAsync([("ConnectionStrings:Redis", withRedis ? redis.ConnectionString : ""), .. settings]);

    private static GatewayNode[] Nodes(World world, bool withRedis) =>
        withRedis ? [world.Gateway, world.AddGateway(), world.AddGateway()] : [world.Gateway];
}
