using System.Net;
using System.Text.Json;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Infrastructure;

/// <summary>An operator that purges, and accounts to purge.</summary>
internal static class Purging
{
    public const string OperatorKey = "operator-key-0123456789";

    /// <summary>Every live node applies a purge within one second.</summary>
    public static readonly TimeSpan Promised = TimeSpan.FromSeconds(1) + Promptness.Grace;

    /// <summary>Settings of the operator.</summary>
    public static readonly (string Key, string? Value)[] Operator =
    [
        ("Operators:ApiKeys:0:Id", "operator-test"),
        ("Operators:ApiKeys:0:Sha256", World.Sha256(OperatorKey)),
    ];

    /// <summary>An account name that no other test uses.</summary>
    public static string NewAccount() => $"t{Guid.NewGuid():N}";

    /// <summary>Settings of an account for one test, and the team that uses it.</summary>
    public static (string Key, string? Value)[] Account(string name, string team = "mapping") =>
    [
        ($"Upstream:Accounts:{name}:Credential", Canary.Credential),
        ($"Upstream:Accounts:{name}:RequestsPerSecond", "100000"),
        ($"Upstream:Accounts:{name}:Burst", "1000000"), ($"Upstream:Accounts:{name}:MaxConcurrentRequests", "10000"),
        ($"Teams:{team}:Account", name),
    ];

    public static async Task<HttpResponseMessage> PurgeAsync(GatewayNode node, string scope, string key = OperatorKey)
    {
        using var client = node.Client(("X-Api-Key", key));
        return await client.DeleteAsync(Path(scope), World.Cancellation);
    }

    /// <summary>Purges, and returns how many jobs were removed from Redis and from the node's memory.</summary>
    public static Task<(long Redis, int Memory)> CountAsync(GatewayNode node, string scope) =>
        CountAsync(node, scope, "", "removed");

    /// <summary>Soft-purges, and returns how many jobs became stale in Redis and in the node's memory.</summary>
    public static Task<(long Redis, int Memory)> SoftAsync(GatewayNode node, string scope) =>
        CountAsync(node, scope, "?soft=true", "stale");

    private static async Task<(long Redis, int Memory)> CountAsync(
        GatewayNode node, string scope, string query, string counted)
    {
        using var answer = await PurgeAsync(node, scope + query);
        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, body);
        var json = JsonElement.Parse(body);
        Assert.Equal(scope.Length == 0 ? "*" : scope, json.GetProperty("purged").GetString());
        var jobs = json.GetProperty(counted);
        var count = (Redis: jobs.GetProperty("redis").GetInt64(), Memory: jobs.GetProperty("memory").GetInt32());
        Assert.Equal(count is not (0, 0), json.GetProperty("found").GetBoolean());
        return count;
    }

    public static Uri Path(string scope) =>
        new(scope is "" or ['?', ..] ? $"admin/cache{scope}" : $"admin/cache/{scope}", UriKind.Relative);

    /// <summary>Requests a job, and asserts that it is answered.</summary>
    /// <returns>True if the answer came out of a cache.</returns>
    public static async Task<bool> IsHitAsync(
        GatewayNode node, string job, string workflow = "survey-1", string key = World.MappingKey)
    {
        using var answer = await World.GetAsync(node, job, workflow, key);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return JobTests.CacheStatus(answer).Contains("; hit", StringComparison.Ordinal);
    }
}
