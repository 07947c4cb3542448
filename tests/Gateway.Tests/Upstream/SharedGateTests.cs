using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Upstream;

/// <summary>Tests the gate of an account with Redis.</summary>
[Trait("Redis", "any")]
public sealed class SharedGateTests(RedisServer redis)
{
    private const string Account = "Upstream:Accounts:default:";

    [Fact]
    public async Task A_wait_shorter_than_a_timer_tick_does_not_block_the_thread()
    {
        await using var world = await World.StopClockAsync(
            (Account + "RequestsPerSecond", "2000"), (Account + "Burst", "1"));
        var gate = world.Gateway.Services.GetRequiredService<AccountGates>().Of("default");
        Assert.NotNull((await EnterAsync(gate)).Permit);

        var entering = Task.Factory.StartNew(
            () => EnterAsync(gate), World.Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var isFree = await Task.WhenAny(entering, Task.Delay(TimeSpan.FromSeconds(2), World.Cancellation)) == entering;
        var permitted = entering.Unwrap();
        // The gate may begin its wait only after the clock has moved.
        await Wait.UntilAsync(TimeSpan.FromSeconds(30), () =>
        {
            if (!permitted.IsCompleted) world.Clock!.Advance(TimeSpan.FromMilliseconds(1));
            return permitted.IsCompleted;
        }, "the call is permitted");

        Assert.NotNull((await permitted).Permit);
        Assert.True(isFree);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("v\n{\"Nodes\":null}")]
    [InlineData("v\n{\"Health\":null}")]
    [InlineData("v\n{\"Health\":{\"Credentials\":null}}")]
    [InlineData("v\n{\"Turns\":{\"Served\":null}}")]
    [InlineData("v\n{\"Nodes\":{\"n\":null}}")]
    [InlineData("v\n{\"Nodes\":{\"n\":{\"UnderWay\":{},\"Until\":1e18,\"WaitingUntil\":1e18,\"Waiting\":null}}}")]
    public async Task The_gate_grants_calls_if_Redis_holds_an_invalid_account(string held)
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await connection.GetDatabase().StringSetAsync($"gateway:account:{world.Account}:budget-2", held);

        Assert.NotNull((await EnterAsync(await GateOfAsync(world, world.Gateway))).Permit);
    }

    [Fact]
    public async Task Calls_of_other_nodes_still_count_after_Redis_has_lost_its_data()
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString),
            (Account + "MaxConcurrentRequests", "4"));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        AccountGate[] gates = [await GateOfAsync(world, world.Gateway), await GateOfAsync(world, world.AddGateway())];
        for (var i = 0; i < 2; i++) Assert.NotNull((await EnterAsync(gates[0])).Permit);
        var one = (await EnterAsync(gates[1])).Permit!;
        await one.ReportAsync(CallOutcome.Accepted, one.Credential);
        await Task.Delay(100, World.Cancellation);
        await connection.GetDatabase().KeyDeleteAsync($"gateway:account:{world.Account}:budget-2");

        var entered = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => EnterAsync(gates[1], 2000)));

        Assert.Single(entered, entry => entry.Permit is not null);
    }

    [Fact]
    public void A_lookup_by_job_in_a_long_queue_allocates_at_most_100_bytes()
    {
        var queue = new CallQueue();
        for (var i = 0; i < 10_000; i++)
        {
            Assert.True(JobAddress.TryCreate("survey-1", $"{i}", out var job));
            queue.Add(new CallQueue.Waiter(CallRank.FirstRead, "mapping", job));
        }
        Assert.True(JobAddress.TryCreate("survey-1", "7000", out var sought));
        Assert.Equal(sought, queue.Find(sought)?.Job);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 100; i++) queue.Find(sought);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000);
        Assert.True(queue.Remove(queue.Find(sought)!));
        Assert.Null(queue.Find(sought));
    }

    [Fact]
    public async Task A_probe_granted_after_its_caller_left_does_not_block_the_next_probe()
    {
        await using var proxy = new RedisProxy(redis.Port);
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", proxy.ConnectionString));
        var gate = await GateOfAsync(world, world.Gateway);
        for (var i = 0; i < 5; i++)
        {
            var permit = (await EnterAsync(gate)).Permit!;
            await permit.ReportAsync(CallOutcome.Refused, permit.Credential);
        }
        await Task.Delay(1200, World.Cancellation);
        proxy.SlowDown();
        Assert.Null((await EnterAsync(gate, milliseconds: 100)).Permit);
        await Task.Delay(600, World.Cancellation);
        proxy.GetWell();

        Assert.NotNull((await EnterAsync(gate)).Permit);
    }

    [Fact]
    public async Task A_pause_reaches_other_nodes_before_the_report_of_the_call_returns()
    {
        await using var proxy = new RedisProxy(redis.Port);
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", proxy.ConnectionString), ("Redis:Timeout", "00:00:05"));
        var other = await GateOfAsync(world, world.AddGateway(("ConnectionStrings:Redis", redis.ConnectionString)));
        var gate = await GateOfAsync(world, world.Gateway);
        var permit = (await EnterAsync(gate)).Permit!;
        Assert.NotNull((await EnterAsync(other)).Permit);
        // The node requests another permit at the same time, over a slow connection.
        proxy.SlowDown();
        var entering = EnterAsync(gate);

        await permit.ReportAsync(CallOutcome.Busy, permit.Credential, TimeSpan.FromSeconds(60));

        Assert.Equal(UpstreamFault.Paused, (await EnterAsync(other)).Fault);
        proxy.GetWell();
        await entering;
    }

    [Fact]
    public async Task A_pause_continues_after_the_connection_to_Redis_is_lost()
    {
        await using var proxy = new RedisProxy(redis.Port);
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", proxy.ConnectionString));
        var gate = await GateOfAsync(world, world.Gateway);
        var permit = (await EnterAsync(gate)).Permit!;
        await permit.ReportAsync(CallOutcome.Busy, permit.Credential, TimeSpan.FromSeconds(60));
        proxy.Cut();
        Assert.Equal(UpstreamFault.Paused, (await EnterAsync(gate)).Fault);
    }

    [Fact]
    public async Task Retry_After_of_a_rejected_call_grows_with_the_number_of_nodes_and_teams()
    {
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), (Account + "RequestsPerSecond", "0.1"),
            (Account + "Burst", "1"));
        AccountGate[] gates = [await GateOfAsync(world, world.Gateway), await GateOfAsync(world, world.AddGateway())];
        Assert.NotNull((await EnterAsync(gates[0])).Permit);
        Task<QueueResult>[] waiting = [EnterAsync(gates[1], 5000), EnterAsync(gates[1], 5000, "few")];

        // Ten seconds a call, times two nodes and two teams.
        Assert.Equal(40, (await EnterAsync(gates[1], 500)).RetryAfter.TotalSeconds, 0.1);

        Assert.All(await Task.WhenAll(waiting), entry => Assert.Equal(UpstreamFault.OverBudget, entry.Fault));
    }

    [Fact]
    public async Task With_a_suspect_credential_a_first_read_fails_as_CredentialDead_and_a_refresh_as_OverBudget()
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        var gate = await GateOfAsync(world, world.Gateway);
        var permits = new List<CallPermit>();
        for (var i = 0; i < 5; i++) permits.Add((await EnterAsync(gate)).Permit!);
        foreach (var permit in permits) await permit.ReportAsync(CallOutcome.Refused, permit.Credential);
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(5), () => gate.Standing == CredentialStanding.Suspect, "the credential is suspect");

        var refused = await Task.WhenAll(EnterAsync(gate, 100), EnterAsync(gate, 100, rank: CallRank.Refresh));

        Assert.Equal([UpstreamFault.CredentialDead, UpstreamFault.OverBudget], refused.Select(entry => entry.Fault));
    }

    [Fact]
    public async Task A_call_that_lasts_longer_than_the_timeout_keeps_its_place()
    {
        const int MaxTries = 5;
        for (var tries = 1; ; tries++)
        {
            await using var world = await World.StartAsync(
                ("ConnectionStrings:Redis", redis.ConnectionString), (Account + "MaxConcurrentRequests", "1"),
                ("Upstream:Timeout", "00:00:03"), ("Redis:Timeout", "00:00:05"));
            var other = world.AddGateway();
            AccountGate[] gates = [await GateOfAsync(world, world.Gateway), await GateOfAsync(world, other)];
            using var stalls = new StallWatch();
            var permit = (await EnterAsync(gates[0])).Permit!;
            await permit.ReportAsync(CallOutcome.Accepted, permit.Credential, isOver: false);

            // A node that does not report for the timeout and a second has died.
            var fault = UpstreamFault.OverBudget;
            for (var i = 0; i < 12 && fault == UpstreamFault.OverBudget; i++)
            {
                fault = (await EnterAsync(gates[1], 400)).Fault;
            }

            // On a busy machine a node may lose Redis and decide alone, or be late with its report. The scenario then
            // starts again.
            var isDisturbed = stalls.Longest > TimeSpan.FromSeconds(1) || HasLostRedis(world.Gateway)
                || HasLostRedis(other);
            if (tries < MaxTries && isDisturbed) continue;
            Assert.True(fault == UpstreamFault.OverBudget, $"{fault} after a stall of at most {stalls.Longest}");
            await permit.ReportAsync(CallOutcome.Accepted, permit.Credential);
            Assert.NotNull((await EnterAsync(gates[1])).Permit);
            return;
        }
    }

    private static bool HasLostRedis(GatewayNode node) =>
        node.Log.All.Any(line => line.Contains("Gateway.Redis.RedisConnection", StringComparison.Ordinal)
            && line.StartsWith("Warning", StringComparison.Ordinal));

    // On a busy machine, a node may start before Redis answers.
    private static async Task<AccountGate> GateOfAsync(World world, GatewayNode node)
    {
        var shared = node.Services.GetRequiredService<RedisConnection>();
        await Wait.UntilAsync(TimeSpan.FromSeconds(30), () => shared.IsAvailable, "the node uses Redis");
        return node.Services.GetRequiredService<AccountGates>().Of(world.Account);
    }

    /// <param name="milliseconds">The longest wait. A busy machine may need seconds for a permit.</param>
    private static Task<QueueResult> EnterAsync(
        AccountGate gate, int milliseconds = 30_000, string team = "mapping", CallRank rank = CallRank.FirstRead)
    {
        Assert.True(JobAddress.TryCreate("survey-1", $"{Guid.NewGuid():N}", out var job));
        return gate.AcquireAsync(rank, team, job, TimeSpan.FromMilliseconds(milliseconds)).AsTask();
    }
}
