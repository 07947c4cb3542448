using System.Net;
using System.Text.Json;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Infrastructure;

/// <summary>An operator, and what it purges.</summary>
internal static class Purging
{
    public const string OperatorKey = "operator-key-0123456789";

    /// <summary>Within a second every live node knows of a purge.</summary>
    public static readonly TimeSpan Promised = TimeSpan.FromSeconds(1) + Promptness.Grace;

    /// <summary>The operator.</summary>
    public static readonly (string Key, string? Value)[] Operator =
    [
        ("Operators:ApiKeys:0:Id", "operator-test"),
        ("Operators:ApiKeys:0:Sha256", World.Sha256(OperatorKey)),
    ];

    /// <summary>A name that no other test has.</summary>
    public static string NewAccount() => $"t{Guid.NewGuid():N}";

    /// <summary>An account of the test's own, and the team that reads with it.</summary>
    public static (string Key, string? Value)[] Account(string name, string team = "mapping") =>
    [
        ($"Upstream:Accounts:{name}:Credential", Canary.Credential), ($"Upstream:Accounts:{name}:RequestsPerSecond", "100000"),
        ($"Upstream:Accounts:{name}:Burst", "1000000"), ($"Upstream:Accounts:{name}:MaxConcurrentRequests", "10000"), ($"Teams:{team}:Account", name),
    ];

    public static async Task<HttpResponseMessage> PurgeAsync(GatewayNode node, string scope, string key = OperatorKey)
    {
        using var client = node.Client(("X-Api-Key", key));
        return await client.DeleteAsync(Path(scope), World.Cancellation);
    }

    /// <summary>Purges, and reads how many jobs went from Redis and from the node's memory.</summary>
    public static async Task<(long Redis, int Memory)> CountAsync(GatewayNode node, string scope)
    {
        using var answer = await PurgeAsync(node, scope);
        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, body);
        var json = JsonElement.Parse(body);
        Assert.Equal(scope.Length == 0 ? "*" : scope, json.GetProperty("purged").GetString());
        var removed = json.GetProperty("removed");
        return (removed.GetProperty("redis").GetInt64(), removed.GetProperty("memory").GetInt32());
    }

    public static Uri Path(string scope) => new(scope.Length == 0 ? "admin/cache" : $"admin/cache/{scope}", UriKind.Relative);

    /// <summary>Asks for a job that must be answered.</summary>
    /// <returns>Whether it came out of a cache.</returns>
    public static async Task<bool> IsHitAsync(GatewayNode node, string job, string workflow = "survey-1", string key = World.MappingKey)
    {
        using var answer = await World.GetAsync(node, job, workflow, key);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return JobTests.CacheStatus(answer).Contains("; hit", StringComparison.Ordinal);
    }

    /// <summary>Waits until something holds, for a time that is part of what is promised.</summary>
    public static async Task WithinAsync(TimeSpan time, Func<Task<bool>> holds, string what)
    {
        var waiting = System.Diagnostics.Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.True(waiting.Elapsed < time, $"Not within {time}: {what}");
            await Task.Delay(10, World.Cancellation);
        }
    }

    public static Task WithinAsync(TimeSpan time, Func<bool> holds, string what) =>
        WithinAsync(time, () => Task.FromResult(holds()), what);
}
