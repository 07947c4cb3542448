using System.Diagnostics;
using System.Text.Json;
using Gateway.Limits;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using StackExchange.Redis;

namespace Gateway.Tests.Upstream;

/// <summary>Tests accounts that several nodes update in a real Redis.</summary>
[Trait("Redis", "any")]
public sealed class AccountStoreTests(RedisServer redis) : IAsyncLifetime
{
    private const int PerSecond = 200, Burst = 50;

    private static readonly AccountLimits Limits = new(
        new Gcra(1e6 / PerSecond, Burst), 100_000, TimeSpan.FromSeconds(11));

    // No permit is refilled during a test.
    private static readonly AccountLimits Slow = Limits with { Budget = new Gcra(3600e6, Burst) };

    private readonly string _account = Purging.NewAccount();
    private RedisConnection _connection = null!;
    private AccountStore _store = null!, _other = null!;
    private IDatabase _database = null!;

    private RedisKey Key => $"gateway:account:{_account}:budget-2";

    public async ValueTask InitializeAsync()
    {
        _connection = Connect(redis.ConnectionString);
        _database = (await _connection.LinkAsync()).Multiplexer.GetDatabase();
        _connection.MarkAvailable();
        (_store, _other) = (NewStore(_connection), NewStore(_connection));
    }

    public ValueTask DisposeAsync()
    {
        _connection.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_pause_does_not_end_early_for_other_nodes_if_the_reporting_node_has_a_slow_Redis()
    {
        await using var line = new RedisProxy(redis.Port) { Slowness = TimeSpan.FromMilliseconds(300) };
        using var connection = Connect(line.ConnectionString);
        var late = NewStore(connection);
        await connection.LinkAsync();
        connection.MarkAvailable();
        line.SlowDown();
        await late.ExchangeAsync(Report("one", 0), Limits);
        var from = await TimeAsync();

        await late.ExchangeAsync(
            Report("one", 0, new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromMinutes(2))), Limits);
        await ChangeAsync(_other, "other", 0, Limits);

        Assert.InRange(_other.Last!.Health.PausedUntil, from + 120e6, from + 122e6);
    }

    [Fact]
    public async Task Concurrent_updates_of_an_account_lose_nothing_and_grant_no_more_than_the_budget()
    {
        const int Nodes = 6, Times = 60;
        var from = await TimeAsync();
        var granted = 0;
        await Parallel.ForAsync(0, Nodes, new ParallelOptions { MaxDegreeOfParallelism = Nodes }, async (node, _) =>
        {
            var store = NewStore(_connection);
            for (var i = 0; i < Times;)
            {
                // Each node reports its own credential, so that lost updates are detected.
                var reply = await ChangeAsync(
                    store, $"{node}", 5, Limits, new EndedCall(CallOutcome.Accepted, $"key-{node}"));
                Interlocked.Add(ref granted, reply.Granted.Count);
                if (reply != NodeReply.NotHeard) i++;
            }
        });
        var most = Burst + PerSecond * (await TimeAsync() - from) / 1e6;
        // At least the burst is granted; more depends on the speed of the machine.
        Assert.InRange(granted, Burst, most + 1);
        var state = await ReadAsync();
        // Each update counted one call, in the current or the previous window.
        Assert.Equal(Nodes * Times, state.Health.Circuit.Good + state.Health.Circuit.GoodBefore);
        Assert.Equal(Nodes, state.Health.Credentials.Count(one => one.Value.IsAccepted));
    }

    [Fact]
    public async Task Two_nodes_that_alternate_are_granted_exactly_the_burst()
    {
        var granted = 0;
        for (var i = 0; i < 40; i++) granted += (
            await ChangeAsync(i % 2 == 0 ? _store : _other, $"{i % 2}", 3, Slow)).Granted.Count;
        Assert.Equal(Burst, granted);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("no line feed")]
    [InlineData("v\n")]
    [InlineData("v\nnull")]
    [InlineData("v\n[]")]
    [InlineData("v\n{\"FullAt\":\"soon\"}")]
    [InlineData("v\n{\"Health\":null}")]
    [InlineData("v\n{\"Health\":{\"Credentials\":null}}")]
    [InlineData("v\n{\"Health\":{\"Credentials\":{\"key\":null}}}")]
    [InlineData("v\n{\"Health\":{\"Credentials\":{\"key\":{\"Jobs\":null,\"Refused\":null}}}}")]
    [InlineData("v\n{\"Nodes\":null}")]
    [InlineData("v\n{\"Nodes\":{\"x\":{\"UnderWay\":null,\"Until\":9e18,\"Waiting\":[]}}}")]
    [InlineData("v\n{\"Nodes\":{\"x\":null}}")]
    [InlineData("v\n{\"Nodes\":{\"x\":{\"UnderWay\":{\"a\":1},\"Until\":9e18,\"Waiting\":null}}}")]
    [InlineData("v\n{\"Turns\":{\"Served\":null}}")]
    [InlineData("\u0000\u0001\n\u0000")]
    public async Task A_value_that_is_not_an_account_is_replaced(string text) => await AssertReplacedAsync(text);

    [Fact]
    public async Task A_value_that_is_not_valid_UTF_8_is_replaced()
    {
        await AssertReplacedAsync(new byte[] { 0xFF, 0xFE, 0x80, (byte)'\n', 0xC3 });
        await AssertReplacedAsync(new byte[] { 0xFF, 0xFE, 0x80 });
    }

    [Fact]
    public async Task An_account_stored_by_an_older_version_is_continued()
    {
        var older = """
            {"Origin":"o","FullAt":%R,"Turns":{"VirtualTime":3,"Served":{},"ReadsInRow":0,"Gone":1},
            "Health":{"PausedUntil":0,"Circuit":{"IsOpen":false,"Good":1,"Bad":0,"WindowUntil":0},
            "Credentials":{"key":{"IsAccepted":true},"dead":{"DeadSince":1}},"Gone":["dead"],"TrialFrom":0},
            "Nodes":{"old":{"UnderWay":{"mapping":1},"Until":%R,"Waiting":[],"WaitingUntil":0}}}
            """;
        var until = FormattableString.Invariant($"{await TimeAsync() + 5e6:0}");
        await _database.StringSetAsync(Key, "v\n" + older.Replace("%R", until, StringComparison.Ordinal));

        await ChangeAsync(_store, "one", 1, Slow, new EndedCall(CallOutcome.Refused, "key", 7));

        var state = await ReadAsync();
        Assert.Equal(("o", 1), (state.Origin, state.Nodes["old"].UnderWay["mapping"]));
        Assert.Equal(["dead"], state.Health.Credentials.Where(one => one.Value.IsDead).Select(one => one.Key));
    }

    [Fact]
    public async Task A_value_of_another_type_is_replaced()
    {
        await _database.HashSetAsync(Key, "field", "value");
        Assert.Equal(3, (await ChangeAsync(_store, "one", 3, Slow)).Granted.Count);
        await _database.KeyDeleteAsync(Key);
        await _database.ListLeftPushAsync(Key, "value");
        Assert.Equal(4, (await ChangeAsync(_store, "one", 4, Slow)).Granted.Count);
        Assert.Equal(Burst - 7, Slow.Budget.Available((await ReadAsync()).FullAt, await TimeAsync()));
    }

    [Fact]
    public async Task A_truncated_value_is_replaced()
    {
        await ChangeAsync(_store, "one", 3, Slow, new EndedCall(CallOutcome.Accepted, "key"));
        var whole = (string)(await _database.StringGetAsync(Key))!;
        for (var length = 0; length < whole.Length; length += 7) await AssertReplacedAsync(whole[..length]);
    }

    [Fact]
    public async Task State_that_Redis_lost_is_restored_when_a_node_that_knows_it_reports()
    {
        Assert.Equal(Burst, (await ChangeAsync(_store, "one", Burst, Slow)).Granted.Count);
        await ChangeAsync(_store, "one", 0, Slow, new EndedCall(CallOutcome.Accepted, "key", Supersedes: "dead"),
            new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromMinutes(2)));
        var before = await ReadAsync();
        await _database.KeyDeleteAsync(Key);
        // A node without a copy of the state starts a new one with a full burst.
        await ChangeAsync(_other, "two", 0, Slow);
        Assert.NotEqual(before.Origin, (await ReadAsync()).Origin);

        var reply = await ChangeAsync(_store, "one", 1, Slow);

        Assert.Empty(reply.Granted);
        Assert.Equal(UpstreamFault.Paused, reply.Closed?.Reason);
        var after = await ReadAsync();
        Assert.Equal(before.FullAt, after.FullAt, 1.0);
        Assert.Equal(before.Health.PausedUntil, after.Health.PausedUntil, 1.0);
        Assert.Equal(["dead"], after.Health.Credentials.Where(one => one.Value.IsDead).Select(one => one.Key));
        Assert.Equal(["key"], after.Health.Credentials.Where(one => one.Value.IsAccepted).Select(one => one.Key));
        Assert.Empty((await ChangeAsync(_other, "two", 1, Slow)).Granted);
    }

    [Fact]
    public async Task A_node_that_recreates_a_lost_account_grants_nothing_twice()
    {
        Assert.Equal(Burst, (await ChangeAsync(_store, "one", Burst + 5, Slow)).Granted.Count);
        await _database.KeyDeleteAsync(Key);
        for (var i = 0; i < 3; i++) Assert.Empty((await ChangeAsync(_store, "one", 5, Slow)).Granted);
    }

    [Fact]
    public async Task The_Redis_time_never_mixes_the_values_of_two_replies()
    {
        var time = new AccountStore.RedisTime();
        long now() => Stopwatch.GetTimestamp();
        var start = now();
        double Time() => Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        time.Set(Time(), now());
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        var worst = 0.0;
        var reading = Task.Factory.StartNew(() =>
        {
            while (!over.IsCancellationRequested)
            {
                var read = time.Now;
                // A reader that is delayed after its read is behind, and never ahead.
                worst = Math.Max(worst, read - Time());
            }
        }, World.Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        while (!over.IsCancellationRequested)
        {
            time.Set(Time(), now());
            Thread.SpinWait(2000);
        }

        await reading;
        Assert.InRange(worst, double.MinValue, 5);
    }

    [Fact]
    public async Task An_account_is_kept_in_Redis_for_at_least_four_days_without_calls()
    {
        await ChangeAsync(_store, "one", 0, Slow, new EndedCall(CallOutcome.Accepted, "key", Supersedes: "dead"));
        Assert.InRange(Assert.NotNull(await _database.KeyTimeToLiveAsync(Key)), TimeSpan.FromDays(4),
            TimeSpan.FromDays(60));
    }

    [Fact]
    public async Task An_update_that_loses_every_race_returns_NotHeard()
    {
        var reply = await _store.SwapAsync((state, now) =>
        {
            _database.StringSet(Key, $"{Guid.NewGuid()}\n");
            return state.Exchange(Report("one", 1), Slow, now);
        });
        Assert.Same(NodeReply.NotHeard, reply);
        Assert.Empty(NodeReply.NotHeard.Granted);
    }

    private async Task AssertReplacedAsync(RedisValue value)
    {
        var store = NewStore(_connection);
        await _database.StringSetAsync(Key, value);
        Assert.Equal(2, (await ChangeAsync(store, "one", 2, Slow)).Granted.Count);
        Assert.Single((await ChangeAsync(store, "one", 1, Slow)).Granted);
        Assert.Equal(Burst - 3, Slow.Budget.Available((await ReadAsync()).FullAt, await TimeAsync()));
    }

    private static async Task<NodeReply> ChangeAsync(
        AccountStore store, string node, int waiting, AccountLimits limits, params EndedCall[] ended)
    {
        var reply = await store.SwapAsync((state, now) => state.Exchange(Report(node, waiting, ended), limits, now));
        Assert.NotNull(reply);
        return reply;
    }

    private static NodeReport Report(string node, int waiting, params EndedCall[] ended) =>
        new(node, new Dictionary<string, int>(), waiting == 0
            ? [] : [new WaitingCalls(CallRank.FirstRead, "mapping", waiting)], ended, ["key"]);

    private async Task<AccountState> ReadAsync()
    {
        var held = (string)(await _database.StringGetAsync(Key))!;
        return JsonSerializer.Deserialize<AccountState>(held[(held.IndexOf('\n', StringComparison.Ordinal) + 1)..])!;
    }

    private AccountStore NewStore(RedisConnection connection) =>
        new(_account, connection, Fixed.Quotas(connection), new SteadyClock(TimeProvider.System));

    private static RedisConnection Connect(string redis) => Fixed.Redis(redis);

    private async Task<double> TimeAsync()
    {
        var time = (RedisResult[])(await _database.ExecuteAsync("TIME"))!;
        return (double)time[0] * 1e6 + (double)time[1];
    }
}
