using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Gateway.Tests.Infrastructure;

/// <summary>Several gateway processes that share one Redis and one upstream.</summary>
internal sealed partial class GatewayProcesses : IAsyncDisposable
{
    private readonly Node[] _nodes;

    private GatewayProcesses(Node[] nodes) => _nodes = nodes;

    public int Count => _nodes.Length;

    /// <summary>
    /// Settings for a world of gateway processes. They log only warnings, because load tests send many requests.
    /// </summary>
    public static (string Key, string? Value)[] Settings(
        RedisServer redis, params (string Key, string? Value)[] others) =>
    [
        ("ConnectionStrings:Redis", redis.ConnectionString),
        ("Logging:LogLevel:Default", "Warning"), ("Logging:LogLevel:Gateway", "Warning"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), ("Logging:LogLevel:Polly", "None"), .. others,
    ];

    public static async Task<GatewayProcesses> StartAsync(World world, int count) =>
        new(await Task.WhenAll(Enumerable.Range(0, count).Select(_ => Node.StartAsync(world.Environment()))));

    /// <summary>Sends first requests to each gateway, which are slow, before a test measures times.</summary>
    public Task WarmUpAsync() => Task.WhenAll(Enumerable.Range(0, Count).Select(async node =>
    {
        while ((await GetAsync(node, $"finished-{Guid.NewGuid():N}")).Status != HttpStatusCode.OK)
            await Task.Delay(100, World.Cancellation);
    }));

    /// <summary>Requests a job from one of the gateways.</summary>
    public async Task<Answer> GetAsync(int node, string job, string key = World.MappingKey)
    {
        var watch = Stopwatch.StartNew();
        using var question = new HttpRequestMessage(
            HttpMethod.Get, new Uri($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative));
        question.Headers.Add("X-Api-Key", key);
        using var answer = await _nodes[node].Client.SendAsync(question, World.Cancellation);
        var body = await answer.Content.ReadAsByteArrayAsync(World.Cancellation);
        var cacheStatus = answer.Headers.TryGetValues("Cache-Status", out var values) ? string.Join(", ", values) : "";
        return new Answer(job, answer.StatusCode, body, cacheStatus, answer.Headers.Age,
            answer.Content.Headers.ContentType?.MediaType, answer.Headers.RetryAfter?.Delta, watch.Elapsed);
    }

    public void Signal(int node, string signal) => _nodes[node].Process.Signal(signal);

    /// <summary>The sum of a counter over all gateways.</summary>
    public async Task<int> SumAsync(string counter)
    {
        var pages = await Task.WhenAll(
            _nodes.Select(
                node => node.Management.GetStringAsync(new Uri("metrics", UriKind.Relative), World.Cancellation)));
        return pages.SelectMany(page => Sample().Matches(page)).Where(sample => sample.Groups["name"].Value == counter)
            .Sum(sample => (int)double.Parse(sample.Groups["value"].Value, CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
    }

    [GeneratedRegex(@"^(?<name>[a-z_]+)(\{.*\})? (?<value>[0-9.eE+]+)( [0-9]+)?\r?$", RegexOptions.Multiline)]
    private static partial Regex Sample();

    internal sealed record Answer(
        string Job, HttpStatusCode Status, byte[] Body, string CacheStatus, TimeSpan? Age, string? MediaType,
        TimeSpan? RetryAfter, TimeSpan Time)
    {
        public override string ToString() => $"{Job}: {(int)Status} {CacheStatus} after {Time.TotalMilliseconds:0} ms";
    }

    private sealed record Node(GatewayProcess Process, HttpClient Client, HttpClient Management) : IAsyncDisposable
    {
        public static async Task<Node> StartAsync(Dictionary<string, string?> environment)
        {
            var port = ChildProcess.FreePort();
            environment["Management__Port"] = $"{port}";
            var process = await GatewayProcess.StartAsync(environment);
            return new Node(process, process.Client(),
                new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") });
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            Management.Dispose();
            await Process.DisposeAsync();
        }
    }
}
