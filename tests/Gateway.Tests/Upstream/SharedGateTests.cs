using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.Tests.Upstream;

/// <summary>Calls that wait on one node, with a Redis.</summary>
[Trait("Redis", "any")]
public sealed class SharedGateTests(RedisServer redis)
{
    private const string Account = "Upstream:Accounts:default:";

    [Fact]
    public async Task Who_waits_for_less_than_a_timer_can_tell_leaves_the_processor_to_others()
    {
        await using var world = await World.StopClockAsync(
            (Account + "RequestsPerSecond", "2000"), (Account + "Burst", "1"));
        var gate = world.Gateway.Services.GetRequiredService<AccountGates>().Of("default");
        Assert.NotNull((await EnterAsync(gate)).Permit);

        var entering = Task.Factory.StartNew(
            () => EnterAsync(gate), World.Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var isFree = await Task.WhenAny(entering, Task.Delay(TimeSpan.FromSeconds(2), World.Cancellation)) == entering;
        world.Clock!.Advance(TimeSpan.FromMilliseconds(1));

        Assert.NotNull((await await entering).Permit);
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
    public async Task Whatever_somebody_else_has_put_in_the_place_of_an_account_it_goes_on(string held)
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await connection.GetDatabase().StringSetAsync($"gateway:account:{world.Account}:budget-2", held);

        Assert.NotNull((await EnterAsync(await GateOfAsync(world, world.Gateway))).Permit);
    }

    [Fact]
    public async Task Where_Redis_has_lost_its_data_calls_of_others_are_still_under_way()
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

        var entered = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => EnterAsync(gates[1])));

        Assert.Single(entered, entry => entry.Permit is not null);
    }

    [Fact]
    public void To_join_a_call_that_waits_costs_the_same_however_many_wait()
    {
        var line = new CallQueue();
        for (var i = 0; i < 10_000; i++)
        {
            Assert.True(JobAddress.TryCreate("survey-1", $"{i}", out var job));
            line.Add(new CallQueue.Waiter(CallRank.FirstRead, "mapping", job));
        }
        Assert.True(JobAddress.TryCreate("survey-1", "7000", out var sought));
        Assert.Equal(sought, line.Find(sought)?.Job);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 100; i++) line.Find(sought);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000);
        Assert.True(line.Remove(line.Find(sought)!));
        Assert.Null(line.Find(sought));
    }

    [Fact]
    public async Task A_trial_that_is_granted_to_nobody_any_more_keeps_no_other_back()
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
    public async Task Word_that_stops_the_others_has_reached_them_before_the_call_is_over()
    {
        await using var proxy = new RedisProxy(redis.Port);
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", proxy.ConnectionString), ("Redis:Timeout", "00:00:05"));
        var other = await GateOfAsync(world, world.AddGateway(("ConnectionStrings:Redis", redis.ConnectionString)));
        var gate = await GateOfAsync(world, world.Gateway);
        var permit = (await EnterAsync(gate)).Permit!;
        Assert.NotNull((await EnterAsync(other)).Permit);
        // It is asking for another call meanwhile.
        proxy.SlowDown();
        var entering = EnterAsync(gate);

        await permit.ReportAsync(CallOutcome.Busy, permit.Credential, TimeSpan.FromSeconds(60));

        Assert.Equal(UpstreamFault.Paused, (await EnterAsync(other)).Fault);
        proxy.GetWell();
        await entering;
    }

    [Fact]
    public async Task A_pause_outlasts_the_loss_of_Redis()
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
    public async Task Who_is_turned_away_may_come_back_the_later_the_more_nodes_and_teams_there_are()
    {
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", redis.ConnectionString), (Account + "RequestsPerSecond", "0.1"),
            (Account + "Burst", "1"));
        AccountGate[] gates = [await GateOfAsync(world, world.Gateway), await GateOfAsync(world, world.AddGateway())];
        Assert.NotNull((await EnterAsync(gates[0])).Permit);
        Task<QueueResult>[] waiting = [EnterAsync(gates[1], 5000), EnterAsync(gates[1], 5000, "few")];

        // Ten seconds a call, of two nodes and two teams.
        Assert.Equal(40, (await EnterAsync(gates[1], 500)).RetryAfter.TotalSeconds, 0.1);

        Assert.All(await Task.WhenAll(waiting), entry => Assert.Equal(UpstreamFault.OverBudget, entry.Fault));
    }

    [Fact]
    public async Task While_a_credential_is_suspect_it_is_a_refresh_that_a_snapshot_may_answer()
    {
        await using var world = await World.StartAsync(("ConnectionStrings:Redis", redis.ConnectionString));
        var gate = await GateOfAsync(world, world.Gateway);
        var permits = new List<CallPermit>();
        for (var i = 0; i < 5; i++) permits.Add((await EnterAsync(gate)).Permit!);
        foreach (var permit in permits) await permit.ReportAsync(CallOutcome.Refused, permit.Credential);
        await Purging.WithinAsync(
            TimeSpan.FromSeconds(5), () => gate.Standing == CredentialStanding.Suspect, "it is suspect");

        var refused = await Task.WhenAll(EnterAsync(gate, 100), EnterAsync(gate, 100, rank: CallRank.Refresh));

        Assert.Equal([UpstreamFault.CredentialDead, UpstreamFault.OverBudget], refused.Select(entry => entry.Fault));
    }

    [Fact]
    public async Task A_call_that_lasts_longer_than_the_timeout_keeps_its_place()
    {
        const int MaxTries = 3;
        for (var tries = 1; ; tries++)
        {
            await using var world = await World.StartAsync(
                ("ConnectionStrings:Redis", redis.ConnectionString), (Account + "MaxConcurrentRequests", "1"),
                ("Upstream:Timeout", "00:00:03"), ("Redis:Timeout", "00:00:05"));
            var other = world.AddGateway();
            AccountGate[] gates = [await GateOfAsync(world, world.Gateway), await GateOfAsync(world, other)];
            var permit = (await EnterAsync(gates[0])).Permit!;
            await permit.ReportAsync(CallOutcome.Accepted, permit.Credential, isOver: false);

            // A node that does not report for the timeout and a second has died.
            var fault = UpstreamFault.OverBudget;
            for (var i = 0; i < 12 && fault == UpstreamFault.OverBudget; i++)
            {
                fault = (await EnterAsync(gates[1], 400)).Fault;
            }

            // On a busy machine a node may lose Redis. It then decides alone, and the scenario starts again.
            if (tries < MaxTries && (HasLostRedis(world.Gateway) || HasLostRedis(other))) continue;
            Assert.Equal(UpstreamFault.OverBudget, fault);
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
        await Purging.WithinAsync(TimeSpan.FromSeconds(30), () => shared.IsAvailable, "the node shares Redis");
        return node.Services.GetRequiredService<AccountGates>().Of(world.Account);
    }

    private static Task<QueueResult> EnterAsync(
        AccountGate gate, int milliseconds = 2000, string team = "mapping", CallRank rank = CallRank.FirstRead)
    {
        Assert.True(JobAddress.TryCreate("survey-1", $"{Guid.NewGuid():N}", out var job));
        return gate.AcquireAsync(rank, team, job, TimeSpan.FromMilliseconds(milliseconds)).AsTask();
    }
}
