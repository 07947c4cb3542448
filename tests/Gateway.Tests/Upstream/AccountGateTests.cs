using CsCheck;
using Gateway.Configuration;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Upstream;

/// <summary>Tests the gate of an account on one node, mostly without Redis and with a fake clock.</summary>
public sealed class AccountGateTests
{
    private const string Account = "Upstream:Accounts:mapping:";

    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(2), Tick = TimeSpan.FromMilliseconds(10);

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private int _jobs;

    [Fact]
    public async Task At_the_concurrency_limit_each_call_that_ends_lets_one_waiting_call_through()
    {
        var gate = Open(perSecond: 1000, burst: 1000, calls: 3).Gate;
        var entering = Enumerable.Range(0, 10).Select(_ => Enter(gate)).ToList();
        for (var let = 3; let <= 10; let++)
        {
            await UntilAsync(() => entering.Count(task => task.IsCompleted) == let);
            await AdvanceAsync(Tick, 5);
            Assert.Equal(let, entering.Count(task => task.IsCompleted));
            await EndAsync((await entering[let - 3]).Permit!);
        }
        Assert.Equal(0, gate.Waiting);
    }

    [Fact]
    public async Task An_early_outcome_counts_at_once_and_the_call_holds_its_place_until_it_ends()
    {
        var gate = Open(perSecond: 1000, burst: 1000, calls: 2).Gate;
        for (var i = 0; i < 20; i++) if ((await Enter(gate)).Permit is { } failed) await EndAsync(
            failed, CallOutcome.Failed);
        await AdvanceAsync(TimeSpan.FromSeconds(1), 5);
        var probe = (await Enter(gate)).Permit!;

        await probe.ReportAsync(CallOutcome.Accepted, probe.Credential, isOver: false);

        // The circuit is closed, and one place is free.
        var next = (await Enter(gate)).Permit;
        Assert.NotNull(next);
        var waiting = Enter(gate);
        await AdvanceAsync(Tick, 5);
        Assert.False(waiting.IsCompleted);
        // The outcome at the end is ignored, because the first one counts.
        await EndAsync(probe, CallOutcome.Failed);
        Assert.NotNull((await waiting).Permit);
    }

    [Fact]
    public async Task A_failure_after_an_accepted_start_does_not_open_the_circuit()
    {
        var gate = Open(perSecond: 1000, burst: 1000).Gate;
        for (var i = 0; i < 20; i++)
        {
            var permit = (await Enter(gate)).Permit!;
            await permit.ReportAsync(CallOutcome.Accepted, permit.Credential, isOver: false);
            await EndAsync(permit, CallOutcome.Failed);
        }
        Assert.NotNull((await Enter(gate)).Permit);
    }

    [Theory]
    [InlineData(3.0)]
    [InlineData(70.0)]
    public async Task The_burst_goes_out_at_once_and_further_calls_at_the_rate(double perSecond)
    {
        var gate = Open(perSecond, burst: 2, queue: 59).Gate;
        var started = _clock.GetUtcNow();
        var entering = Enumerable.Range(0, 8).Select(_ => Enter(gate, maxWait: TimeSpan.FromSeconds(60))).ToList();
        await UntilAsync(() => entering.TrueForAll(task => task.IsCompleted), TimeSpan.FromMilliseconds(1));
        Assert.InRange((_clock.GetUtcNow() - started).TotalSeconds, 6 / perSecond - 0.001, 6 / perSecond + 0.1);
    }

    [Fact]
    public async Task A_call_that_goes_out_late_is_charged_from_that_time()
    {
        var gate = Open(perSecond: 10, burst: 5).Gate;
        var permits = new List<CallPermit>();
        for (var i = 0; i < 5; i++) permits.Add((await Enter(gate)).Permit!);
        _clock.Advance(TimeSpan.FromSeconds(0.25));
        foreach (var permit in permits) permit.GoOut();

        var next = Enter(gate);

        // Counted from the permit, two tokens would have been refilled by now.
        Assert.False(next.IsCompleted);
        await UntilAsync(() => next.IsCompleted);
        Assert.NotNull((await next).Permit);
    }

    [Fact]
    public async Task Calls_that_time_out_get_staggered_Retry_After_values_of_at_most_a_minute()
    {
        var gate = Open(perSecond: 0.1, burst: 10).Gate;
        for (var i = 0; i < 10; i++) Assert.NotNull((await Enter(gate)).Permit);
        var entering = Enumerable.Range(0, 9).Select(_ => Enter(gate)).ToList();
        await AdvanceAsync(Tick, 199);
        Assert.All(entering, task => Assert.False(task.IsCompleted));
        await UntilAsync(() => entering.TrueForAll(task => task.IsCompleted));

        var told = entering.Select(task => task.Result).ToList();
        Assert.All(told, entry => Assert.Equal((null, UpstreamFault.OverBudget), (entry.Permit, entry.Fault)));
        Assert.Equal([10, 20, 30, 40, 50, 60, 60, 60, 60],
            told.Select(entry => Math.Round(entry.RetryAfter.TotalSeconds)).Order());
    }

    [Fact]
    public async Task A_full_queue_drops_the_newest_call_of_the_largest_team_and_refreshes_first()
    {
        // The queue holds twice what can be served within the timeout: 2 × (1 + 1 × 2).
        var gate = Open(perSecond: 1, burst: 1).Gate;
        Assert.NotNull((await Enter(gate)).Permit);
        var few = Enter(gate, "few");
        var reads = Enumerable.Range(0, 3).Select(_ => Enter(gate, "many")).ToList();
        var refreshes = Enumerable.Range(0, 2).Select(_ => Enter(gate, "many", CallRank.Refresh)).ToList();
        Assert.Equal(6, gate.Waiting);

        var late = Enter(gate, "late");
        Assert.Equal(UpstreamFault.OverBudget, (await refreshes[1]).Fault);
        Assert.False(refreshes[0].IsCompleted);
        var another = Enter(gate, "few");
        Assert.Equal(UpstreamFault.OverBudget, (await refreshes[0]).Fault);
        // A call with another credential goes out first and drops no other call.
        var other = Enter(gate, "late", CallRank.OtherCredential);
        Assert.Equal(7, gate.Waiting);
        Assert.All([few, .. reads, late, another, other], task => Assert.False(task.IsCompleted));
        await UntilAsync(() => other.IsCompleted);
        Assert.NotNull((await other).Permit);
        Assert.DoesNotContain(reads, task => task.IsCompletedSuccessfully && task.Result.Permit is not null);
    }

    [Fact]
    public async Task Removing_the_credential_rejects_new_and_waiting_calls()
    {
        var (gate, settings) = Open(perSecond: 1, burst: 1);
        Assert.NotNull((await Enter(gate)).Permit);
        var waiting = Enter(gate);
        Set(settings, (Account + "Credential", ""));
        var entry = await Enter(gate);
        Assert.Equal((null, UpstreamFault.NoCredential), (entry.Permit, entry.Fault));
        Assert.Equal(UpstreamFault.NoCredential, (await waiting).Fault);
    }

    [Fact]
    public async Task A_call_started_by_one_team_can_use_the_turn_of_a_team_that_joined_it()
    {
        var gate = Open(perSecond: 1, burst: 1, queue: 59).Gate;
        Assert.NotNull((await Enter(gate)).Permit);
        var before = Enumerable.Range(0, 10)
            .Select(_ => Enter(gate, "many", maxWait: TimeSpan.FromSeconds(60))).ToList();
        var shared = Job();
        var joined = Enter(gate, "many", job: shared, maxWait: TimeSpan.FromSeconds(60));
        gate.Join(shared, "few");
        await UntilAsync(() => joined.IsCompleted);
        Assert.NotNull((await joined).Permit);
        Assert.InRange(before.Count(task => task.IsCompleted), 0, 1);
    }

    [Fact]
    public async Task A_call_fails_as_Paused_unless_it_can_wait_for_the_end_of_the_pause()
    {
        var gate = Open(perSecond: 1000, burst: 1000).Gate;
        await EndAsync((await Enter(gate)).Permit!, CallOutcome.Busy, TimeSpan.FromSeconds(30));
        var entry = await Enter(gate);
        Assert.Equal((null, UpstreamFault.Paused, TimeSpan.FromSeconds(30)),
            (entry.Permit, entry.Fault, entry.RetryAfter));
        _clock.Advance(TimeSpan.FromSeconds(29.5));
        var last = Enter(gate);
        Assert.False(last.IsCompleted);
        await UntilAsync(() => last.IsCompleted);
        Assert.NotNull((await last).Permit);
    }

    [Fact]
    public async Task A_permit_granted_after_its_caller_left_does_not_block_another_node()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        AccountGate[] gates = [Open(1000, burst: 1000, calls: 1, redis: redis.Port).Gate,
            Open(1000, burst: 1000, calls: 1, redis: redis.Port).Gate];
        foreach (var gate in gates)
        {
            await Wait.UntilAsync(TimeSpan.FromSeconds(10), async () => (await Enter(gate)).Permit is { } permit
                && await EndAsync(permit), "the gate grants a call");
            await Task.Delay(200, World.Cancellation);
        }

        redis.Freeze();
        var gone = await Enter(gates[0], maxWait: TimeSpan.FromMilliseconds(50));
        redis.Thaw();
        await Task.Delay(300, World.Cancellation);

        Assert.Equal(UpstreamFault.OverBudget, gone.Fault);
        Assert.NotNull((await Enter(gates[1], maxWait: TimeSpan.FromSeconds(5))).Permit);
    }

    [Fact]
    public async Task Every_call_is_answered_and_concurrency_stays_within_the_limit_in_any_sequence() =>
        await Gen.Select(Gen.Double[0.5, 300], Gen.Int[1, 20], Gen.Int[1, 5], Gen.Int[0, int.MaxValue])
            .SampleAsync(async (perSecond, burst, calls, seed) =>
        {
            var (gate, settings) = Open(perSecond, burst, calls, queue: 1);
            var random = new Random(seed);
            var entering = new List<Task<QueueResult>>();
            var open = new List<CallPermit>();
            var seen = new HashSet<CallPermit>();
            var most = calls;
            for (var i = 0; i < 150; i++)
            {
                switch (random.Next(8))
                {
                    case <= 3:
                        var job = Job();
                        entering.Add(Enter(gate, $"{random.Next(3)}", (CallRank)random.Next(3),
                            TimeSpan.FromMilliseconds(random.Next(1000)), job));
                        if (random.Next(3) == 0) gate.Join(job, $"{random.Next(3)}");
                        break;
                    case <= 5 when open.Count > 0:
                        var permit = open[random.Next(open.Count)];
                        open.Remove(permit);
                        var end = random.Next(10) == 0 ? (CallOutcome)random.Next(7) : CallOutcome.Accepted;
                        await EndAsync(permit, end, TimeSpan.FromSeconds(random.Next(3)));
                        break;
                    case 6 when random.Next(5) == 0:
                        Set(settings, (Account + "MaxConcurrentRequests", $"{calls = random.Next(1, 6)}"),
                            (Account + "Burst", $"{random.Next(1, 20)}"));
                        most = Math.Max(most, calls);
                        break;
                    default:
                        _clock.Advance(TimeSpan.FromMilliseconds(random.Next(200)));
                        break;
                }
                Collect();
            }
            await UntilAsync(() => entering.TrueForAll(task => task.IsCompleted));
            Assert.Equal(0, gate.Waiting);

            void Collect()
            {
                var done = entering.Where(task => task.IsCompletedSuccessfully
                    && task.Result.Permit is not null).Select(task => task.Result.Permit!);
                open.AddRange(done.Where(seen.Add));
                Assert.InRange(open.Count, 0, most);
            }
        }, iter: 40, threads: 1);

    private Task<QueueResult> Enter(
        AccountGate gate, string team = "mapping", CallRank rank = CallRank.FirstRead, TimeSpan? maxWait = null,
        JobAddress? job = null) =>
        gate.AcquireAsync(rank, team, job ?? Job(), maxWait ?? MaxWait).AsTask()
            .WaitAsync(TimeSpan.FromSeconds(10), World.Cancellation);

    private static async Task<bool> EndAsync(
        CallPermit permit, CallOutcome end = CallOutcome.Accepted, TimeSpan? retryAfter = null)
    {
        await permit.ReportAsync(end, permit.Credential, retryAfter).AsTask()
            .WaitAsync(TimeSpan.FromSeconds(20), World.Cancellation);
        return true;
    }

    private async Task AdvanceAsync(TimeSpan step, int times)
    {
        for (var i = 0; i < times; i++)
        {
            _clock.Advance(step);
            await Task.Yield();
        }
    }

    // Advances the clock, and yields so that calls waiting for it can continue.
    private async Task UntilAsync(Func<bool> holds, TimeSpan? step = null)
    {
        for (var i = 0; !holds(); i++)
        {
            Assert.True(i < 50_000, "A call still waits");
            _clock.Advance(step ?? Tick);
            if (i % 20 == 19) await Task.Delay(1, World.Cancellation);
            else await Task.Yield();
        }
    }

    private JobAddress Job()
    {
        Assert.True(JobAddress.TryCreate("survey-1", $"job-{Interlocked.Increment(ref _jobs)}", out var address));
        return address;
    }

    private (AccountGate Gate, IConfigurationRoot Settings) Open(
        double perSecond, int burst, int calls = 1000, int queue = 2, int redis = 0)
    {
        var settings = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Upstream:Accounts:other:Credential"] = Canary.Credential,
            ["Upstream:BaseAddress"] = "http://127.0.0.1:9",
            [Account + "Credential"] = Canary.Credential,
            [Account + "RequestsPerSecond"] = FormattableString.Invariant($"{perSecond}"),
            [Account + "Burst"] = $"{burst}",
            [Account + "MaxConcurrentRequests"] = $"{calls}",
            [Account + "QueueTimeout"] = $"00:00:{queue}",
        }).Build();
        var live = new LiveConfiguration<GatewayOptions>(
            settings, NullLogger<LiveConfiguration<GatewayOptions>>.Instance);
        var upstream = new LiveOptions<GatewayOptions, UpstreamOptions>(live, all => all.Upstream);
        var connection = Fixed.Redis(redis == 0 ? "" : $"127.0.0.1:{redis}");
        if (redis > 0) connection.MarkAvailable();
        var metrics = new UpstreamMetrics(Fixed.Meters());
        var chain = new OutboundChain(metrics, upstream, NullLogger<OutboundChain>.Instance);
        var gates = new AccountGates(new Accounts(upstream, TimeProvider.System, NullLogger<Accounts>.Instance),
            connection, Fixed.Quotas(connection),
            new TrialClient(chain, upstream, _clock), upstream, Fixed.Of(new AccountUse([])), metrics, _clock,
            new SteadyClock(_clock), NullLogger<AccountGate>.Instance);
        var gate = gates.Of("mapping");
        return (gate, settings);
    }

    private static void Set(IConfigurationRoot settings, params (string Key, string? Value)[] values)
    {
        foreach (var (key, value) in values) settings[key] = value;
        settings.Reload();
    }
}
