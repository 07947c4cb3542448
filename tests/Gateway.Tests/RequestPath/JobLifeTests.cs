using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// The life of a job with no viewer, one and many, who each poll once a second. The tests check the upstream calls of
/// each stage. They also check that every answer was true at the time that its <c>Age</c> names, and is not older than
/// the freshness table allows.
/// </summary>
[Trait("Redis", "one")]
public sealed class JobLifeTests(RedisServer redis)
{
    private const int Many = 20;

    /// <summary>A stage, its length in seconds, and its upstream calls if anybody polls.</summary>
    private sealed record LifeStep(LifeStage Stage, int Seconds, int Calls);

    private static readonly Dictionary<string, LifeStep[]> Lives = new()
    {
        ["completed"] =
        [
            new(LifeStage.Queued, 10, 5),
            new(LifeStage.Running, 10, 5),
            // At 0, 2, 4, 8 and 16 s, and last at 32 s after the end.
            new(LifeStage.Completed, 100, 6),
        ],
        ["completed before its results are there"] =
        [
            new(LifeStage.Running, 10, 5),
            new(LifeStage.CompletedEarly, 20, 5),
            new(LifeStage.Completed, 100, 1),
        ],
        ["run again"] =
        [
            new(LifeStage.Queued, 10, 5),
            new(LifeStage.Running, 10, 5),
            // At 0, 2, 4 and 8 s; the last answer lives until 16 s after the end, 6 s into the next stage.
            new(LifeStage.CompletedEarly, 10, 4),
            new(LifeStage.Running, 20, 7),
            new(LifeStage.Failed, 10, 4),
            new(LifeStage.Running, 20, 7),
            new(LifeStage.Cancelled, 10, 4),
            new(LifeStage.Queued, 20, 7),
            new(LifeStage.Gone, 5, 5),
            new(LifeStage.Running, 10, 5),
            new(LifeStage.Completed, 100, 6),
        ],
        // At 0, 2, 4, 8, ..., 4096 s after the end, and an hour later.
        ["failed for good"] = [new(LifeStage.Failed, 9000, 14)],
        ["gone while it settles"] =
        [
            new(LifeStage.CompletedEarly, 6, 3),
            new(LifeStage.Gone, 7, 5),
            new(LifeStage.Completed, 100, 6),
        ],
        ["gone after it failed"] =
            [new(LifeStage.Failed, 8, 3), new(LifeStage.Gone, 5, 5), new(LifeStage.Failed, 8, 3)],
    };

    // In the longest life, many viewers would send 180,000 requests.
    public static TheoryData<string, int> Cells =>
    [
        .. from life in Lives.Keys
           from viewers in life == "failed for good" ? (int[])[0, 1] : [0, 1, Many]
           select (life, viewers),
    ];

    public static TheoryData<string> Names => [.. Lives.Keys.Where(life => life != "failed for good")];

    [Theory]
    [MemberData(nameof(Cells))]
    public async Task Each_stage_costs_a_fixed_number_of_calls_and_no_answer_is_too_old(string life, int viewers)
    {
        await using var world = await World.StopClockAsync();
        await LiveAsync(world, [world.Gateway], Lives[life], viewers, exact: true);
    }

    [Theory]
    [Trait("Redis", "any")]
    [MemberData(nameof(Names))]
    public async Task Two_nodes_with_one_Redis_cost_as_many_calls_as_one_node(string life)
    {
        await using var world = await World.StopClockAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        await LiveAsync(world, [world.Gateway, world.AddGateway()], Lives[life], Many, exact: false);
    }

    [Fact]
    public async Task A_settled_job_costs_no_calls_for_a_month()
    {
        await using var world = await World.StopClockAsync();
        await LiveAsync(world, [world.Gateway], Lives["completed"], viewers: 1, exact: true);
        world.Upstream.Ledger.Clear();
        for (var day = 0; day < 29; day++)
        {
            world.Clock!.Advance(TimeSpan.FromDays(1));
            using var answer = await world.GetAsync("life");
            Assert.Null(answer.Headers.RetryAfter);
        }
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    private static async Task LiveAsync(World world, GatewayNode[] nodes, LifeStep[] life, int viewers, bool exact)
    {
        // The upstream reports times in whole seconds.
        var now = world.Clock!.GetUtcNow();
        world.Clock.Advance(TimeSpan.FromTicks(TimeSpan.TicksPerSecond - now.Ticks % TimeSpan.TicksPerSecond));
        var seen = new Truth(world);
        HttpClient[] clients = [.. nodes.Select(node => node.Client(("X-Api-Key", World.MappingKey)))];
        foreach (var (step, number) in life.Select((step, i) => (step, i)))
        {
            seen.Set(step.Stage);
            world.Upstream.Ledger.Clear();
            for (var second = 0; second < step.Seconds; second++)
            {
                await Task.WhenAll(Enumerable.Range(0, viewers).Select(async viewer =>
                {
                    using var answer = await clients[viewer % clients.Length].GetAsync(
                        new Uri("v0/workflows/survey-1/jobs/life", UriKind.Relative), World.Cancellation);
                    await seen.CheckAsync(answer);
                }));
                world.Clock.Advance(TimeSpan.FromSeconds(1));
            }
            var (calls, what) = (world.Upstream.Ledger.Total,
                $"stage {number}, {step.Stage}: {world.Upstream.Ledger.Total} calls");
            if (viewers == 0) Assert.True(calls == 0, what);
            // On a busy machine, a lifetime of one second in Redis may end before the other node reads the entry.
            else if (exact || step.Stage != LifeStage.Gone)
                Assert.True(calls == step.Calls, $"{what}, not {step.Calls}");
            else Assert.True(calls >= step.Calls && calls <= step.Calls * nodes.Length, what);
        }
        foreach (var client in clients) client.Dispose();
    }

    /// <summary>The job's stages, and when each began.</summary>
    private sealed class Truth(World world)
    {
        private readonly List<(DateTimeOffset From, LifeStage Stage, DateTimeOffset Ended)> _was = [];

        public void Set(LifeStage stage)
        {
            world.Upstream.Lives.Set("life", stage);
            var now = world.Clock!.GetUtcNow();
            _was.Add((now, stage, world.Upstream.Lives.Find("life")!.Ended ?? now));
        }

        public async Task CheckAsync(HttpResponseMessage answer)
        {
            var now = world.Clock!.GetUtcNow();
            var age = answer.Headers.Age ?? TimeSpan.Zero;
            var then = _was.Last(was => was.From <= now - age);
            var sinceEnd = now - age - then.Ended;
            var allowed = then.Stage switch
            {
                LifeStage.Gone => TimeSpan.FromSeconds(1),
                LifeStage.Queued or LifeStage.Running => TimeSpan.FromSeconds(2),
                LifeStage.Completed when sinceEnd >= TimeSpan.FromSeconds(30) => TimeSpan.FromDays(30),
                _ => TimeSpan.FromSeconds(Math.Clamp(sinceEnd.TotalSeconds, 2, 3600)),
            };
            Assert.True(age < allowed, $"{then.Stage} is answered {age} after it was true.");
            Assert.Equal(then.Stage == LifeStage.Gone ? HttpStatusCode.NotFound : HttpStatusCode.OK, answer.StatusCode);
            if (then.Stage == LifeStage.Gone) return;

            var job = JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
            var stage = then.Stage == LifeStage.CompletedEarly ? "completed" : then.Stage.ToString().ToLowerInvariant();
            Assert.Equal(stage, job.GetProperty("status").GetString());
            if (stage != "completed") return;
            var hasResults = job.GetProperty("tasks").EnumerateArray()
                .All(task => task.GetProperty("result").ToString() != "{}");
            Assert.Equal(then.Stage == LifeStage.Completed, hasResults);
        }
    }
}
