using System.Globalization;
using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Telemetry;

/// <summary>What a real node publishes at <c>/metrics</c> after real traffic.</summary>
public sealed partial class PublishedMetricsTests
{
    private const int Teams = 1000;

    private const string Account = "gateway_account_name=\"default\"";

    // Names that .NET itself has chosen, and that ready-made dashboards use.
    private static readonly string[] NamesOfDotNet =
        ["dotnet_assembly_count", "dotnet_process_cpu_count", "dotnet_timer_count"];

    [Fact]
    public async Task A_thousand_teams_and_whatever_callers_invent_overflow_no_metric()
    {
        await using var node = await StartAsync(TeamSettings(Teams));
        using var client = new HttpClient { BaseAddress = node.Process.Address };
        for (var team = 0; team < Teams; team++)
        {
            foreach (var job in (string[])["finished-1", "finished-1", "missing-1", "%20"])
            {
                await SendAsync(client, $"v0/workflows/survey-1/jobs/{job}", $"key-of-team-{team:0000}");
            }
        }
        await SendAsync(client, "v0/workflows/survey-1/jobs/finished-1", "invented");
        for (var i = 0; i < 2500; i++)
        {
            await SendAsync(client, $"invented-{i}", $"invented-{i}", i % 2 == 0 ? "GET" : $"METHOD{i}");
        }

        var page = await node.MetricsAsync();

        Assert.DoesNotContain("otel_metric_overflow", page, StringComparison.Ordinal);
        Assert.Equal(Teams, TeamsOf(page, "gateway_cache_lookups_total").Count());
        Assert.Equal(Teams + 1, TeamsOf(page, "gateway_requests_total").Count());
        Assert.Equal(3 * Teams, Sum(page, "gateway_cache_lookups_total"));
        var buckets = Sample().Matches(page).Count(
            sample => sample.Groups["name"].Value == "http_server_request_duration_seconds_bucket");
        Assert.InRange(buckets, 1, 1000);
    }

    [Fact]
    public async Task Series_beyond_the_limit_are_added_up_in_one_that_says_so()
    {
        var secrets = Directory.CreateTempSubdirectory("gateway-series-");
        try
        {
            // The teams are added while the node runs, far more than twice those at its start.
            const int Added = 500;
            await using var node = await StartAsync([("GATEWAY_SECRETS", secrets.FullName)]);
            foreach (var (key, value) in TeamSettings(Added))
            {
                var file = Path.Combine(secrets.FullName, key.Replace(":", "__", StringComparison.Ordinal));
                await File.WriteAllTextAsync(file, value, World.Cancellation);
            }
            using var client = new HttpClient { BaseAddress = node.Process.Address };
            await Wait.UntilAsync(
                TimeSpan.FromSeconds(20), async () => await AskAsync(Added - 1) == 200, "the node knows the teams");
            for (var team = 0; team < Added; team++) await AskAsync(team);

            var page = await node.MetricsAsync();

            Assert.Matches("""gateway_cache_lookups_total\{[^}]*otel_metric_overflow="true"[^}]*\} [1-9]""", page);
            Assert.Equal(Added + 1, Sum(page, "gateway_cache_lookups_total"));

            Task<int> AskAsync(int team) =>
                SendAsync(client, "v0/workflows/survey-1/jobs/finished-1", $"key-of-team-{team:0000}");
        }
        finally
        {
            secrets.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Promtool_finds_no_fault_in_the_metrics()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var node = await StartAsync([("ConnectionStrings:Redis", redis.ConnectionString)]);
        using var client = new HttpClient { BaseAddress = node.Process.Address };
        foreach (var path in (string[])["jobs/finished-1", "jobs/finished-1", "jobs/run-300", "jobs/%20"])
        {
            await SendAsync(client, $"v0/workflows/survey-1/{path}", World.MappingKey);
        }
        await SendAsync(client, "v0/workflows/survey-1/jobs/finished-1", "unknown");

        var complaints = await Promtool.CheckMetricsAsync(await node.MetricsAsync());

        Assert.Equal("", string.Join('\n', complaints.Where(
            line => !NamesOfDotNet.Contains(line.Split(' ')[0], StringComparer.Ordinal))));
    }

    [Fact]
    public async Task A_node_publishes_its_accounts_budget_and_the_state_of_Redis()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var node = await StartAsync([("ConnectionStrings:Redis", redis.ConnectionString),
            ("Upstream:Accounts:default:RequestsPerSecond", "0.01"), ("Upstream:Accounts:default:Burst", "10")]);
        using var client = new HttpClient { BaseAddress = node.Process.Address };
        for (var job = 1; job <= 3; job++) await FetchAsync($"finished-{job}");

        var page = await node.MetricsAsync();
        Assert.Equal(10, Sum(page, "gateway_account_budget_limit", Account));
        Assert.Equal(7, Sum(page, "gateway_account_budget_left", Account));
        Assert.Equal(3, Sum(page, "gateway_upstream_calls_total", Account));
        Assert.Matches("""gateway_account_budget_rate_per_second\{[^}]*\} 0\.01\b""", page);
        Assert.Equal((1, 0), (Sum(page, "gateway_redis_usable"), Sum(page, "gateway_redis_problem")));
        Assert.True(Sum(page, "db_client_operation_duration_seconds_count") >= 3);

        await redis.CommandAsync("CONFIG", "SET", "maxmemory", "1");
        await SendAsync(client, "v0/workflows/survey-1/jobs/finished-4", World.MappingKey);
        await UntilAsync("no-writes");
        Assert.True(Sum(await node.MetricsAsync(), "gateway_redis_refused_total", "error_type=\"OOM\"") > 0);

        await redis.KillAsync();
        await UntilAsync("away");
        Assert.Equal(0, Sum(await node.MetricsAsync(), "gateway_redis_usable"));

        async Task FetchAsync(string job) => Assert.Equal(
            200, await SendAsync(client, $"v0/workflows/survey-1/jobs/{job}", World.MappingKey));

        Task UntilAsync(string problem) => Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            Sum(await node.MetricsAsync(), "gateway_redis_problem", $"error_type=\"{problem}\"") == 1, problem);
    }

    private static async Task<Node> StartAsync((string Key, string? Value)[] settings)
    {
        var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            ("Logging:LogLevel:Default", "Warning"), ("Logging:LogLevel:Gateway", "Warning"), .. settings]);
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        return new Node(world, await GatewayProcess.StartAsync(environment), port);
    }

    private static (string Key, string? Value)[] TeamSettings(int count) =>
    [
        .. Enumerable.Range(0, count).SelectMany(team => new (string, string?)[]
        {
            ($"Teams:team-{team:0000}:Workflows:0", "*"),
            ($"Teams:team-{team:0000}:ApiKeys:0:Id", $"team-{team:0000}"),
            ($"Teams:team-{team:0000}:ApiKeys:0:Sha256", World.Sha256($"key-of-team-{team:0000}")),
        }),
    ];

    private static async Task<int> SendAsync(HttpClient client, string path, string key, string method = "GET")
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Add("X-Api-Key", key);
        using var answer = await client.SendAsync(request, World.Cancellation);
        return (int)answer.StatusCode;
    }

    private static IEnumerable<string> TeamsOf(string page, string metric) => Sample().Matches(page)
        .Where(sample => sample.Groups["name"].Value == metric)
        .Select(sample => Team().Match(sample.Value).Groups[1].Value).Distinct();

    private static long Sum(string page, string metric, string tags = "") => Sample().Matches(page)
        .Where(sample => sample.Groups["name"].Value == metric && sample.Value.Contains(tags, StringComparison.Ordinal))
        .Sum(sample => long.Parse(sample.Groups["value"].Value, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"^(?<name>[a-z_]+)(\{.*\})? (?<value>[0-9.eE+-]+)\r?$", RegexOptions.Multiline)]
    private static partial Regex Sample();

    [GeneratedRegex("gateway_team_name=\"([^\"]*)\"")]
    private static partial Regex Team();

    private sealed record Node(World World, GatewayProcess Process, int Port) : IAsyncDisposable
    {
        public async Task<string> MetricsAsync()
        {
            using var client = new HttpClient();
            return await client.GetStringAsync(new Uri($"http://127.0.0.1:{Port}/metrics"), World.Cancellation);
        }

        public async ValueTask DisposeAsync()
        {
            await Process.DisposeAsync();
            await World.DisposeAsync();
        }
    }
}
