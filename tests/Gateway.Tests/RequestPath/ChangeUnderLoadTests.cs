using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// A key is revoked, a key expires, and a workflow moves to another team, while a gateway process serves 200 requests
/// a second.
/// </summary>
[Collection(nameof(Alone))]
public sealed class ChangeUnderLoadTests
{
    private const int RequestsPerSecond = 200;
    private const string Revoked = "revoked-key-0123456789", Expiring = "expiring-key-0123456789",
        Staying = "staying-key-0123456789";

    private static readonly TimeSpan ChangeAfter = TimeSpan.FromSeconds(2), Length = TimeSpan.FromSeconds(6),
        MaxDelay = TimeSpan.FromSeconds(1);

    private readonly ConcurrentQueue<Seen> _seen = new();

    [Fact]
    public async Task A_change_applies_within_a_second_and_fails_no_request()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null);
        // A configuration file for this gateway only, which it finds by the name of its environment.
        var name = $"test-{Guid.NewGuid():N}";
        var file = Path.Combine(AppContext.BaseDirectory, $"appsettings.{name}.json");
        var expiresAt = DateTimeOffset.UtcNow + TimeSpan.FromSeconds(60);
        Write(file, expiresAt, isChanged: false);
        try
        {
            var environment = world.Environment()
                .Where(setting => !setting.Key.StartsWith("Teams__", StringComparison.Ordinal)).ToDictionary();
            environment["ASPNETCORE_ENVIRONMENT"] = name;
            environment["Logging__LogLevel__Default"] = environment["Logging__LogLevel__Gateway"] = "Warning";
            await using var gateway = await GatewayProcess.StartAsync(environment);

            var load = LoadAsync(gateway);
            await Task.Delay(ChangeAfter, World.Cancellation);
            var changedAt = DateTimeOffset.UtcNow;
            // The gateway may read the file late, so the key expires soon after the file is written.
            expiresAt = changedAt + TimeSpan.FromSeconds(1.5);
            Write(file, expiresAt, isChanged: true);
            await load;

            AssertStatuses(changedAt, expiresAt);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private void AssertStatuses(DateTimeOffset changedAt, DateTimeOffset expiresAt)
    {
        Assert.DoesNotContain(_seen, seen => seen.Status >= 500);
        Assert.InRange(_seen.Count, RequestsPerSecond * Length.TotalSeconds * 0.9,
            RequestsPerSecond * Length.TotalSeconds * 1.1);

        Assert.Equal([200], Statuses(Revoked, "w1", to: changedAt));
        Assert.Equal([401], Statuses(Revoked, "w1", from: changedAt + MaxDelay));
        Assert.Equal([200], Statuses(Expiring, "w1", to: changedAt));
        Assert.Equal([401], Statuses(Expiring, "w1", from: expiresAt));
        // The workflow moves from one team to the other.
        Assert.Equal([200], Statuses(Staying, "w1", to: changedAt));
        Assert.Equal([403], Statuses(Staying, "w1", from: changedAt + MaxDelay));
        Assert.Equal([403], Statuses(Staying, "w2", to: changedAt));
        Assert.Equal([200], Statuses(Staying, "w2", from: changedAt + MaxDelay));
    }

    private IEnumerable<int> Statuses(
        string key, string workflow, DateTimeOffset? from = null, DateTimeOffset? to = null)
    {
        var matching = _seen.Where(seen => seen.Key == key && seen.Workflow == workflow
            && (from is null || seen.AskedAt >= from) && (to is null || seen.AnsweredAt <= to)).ToList();
        Assert.True(matching.Count > 20, $"only {matching.Count} answers to {key}");
        return matching.Select(seen => seen.Status).Distinct();
    }

    // Sends requests at a steady rate, regardless of how long answers take.
    private async Task LoadAsync(GatewayProcess gateway)
    {
        var clients = new[] { Revoked, Expiring, Staying }.ToDictionary(key => key, gateway.Client);
        (string Key, string Workflow)[] questions =
            [(Revoked, "w1"), (Expiring, "w1"), (Staying, "w1"), (Staying, "w2")];
        var watch = Stopwatch.StartNew();
        var asked = new List<Task>();
        for (var i = 0; watch.Elapsed < Length; i++)
        {
            var (key, workflow) = questions[i % questions.Length];
            asked.Add(AskAsync(clients[key], key, workflow));
            var ahead = TimeSpan.FromSeconds((i + 1.0) / RequestsPerSecond) - watch.Elapsed;
            if (ahead > TimeSpan.Zero) await Task.Delay(ahead, World.Cancellation);
        }
        await Task.WhenAll(asked);
        foreach (var client in clients.Values) client.Dispose();
    }

    private async Task AskAsync(HttpClient client, string key, string workflow)
    {
        var askedAt = DateTimeOffset.UtcNow;
        using var answer = await client.GetAsync(
            new Uri($"v0/workflows/{workflow}/jobs/finished-1", UriKind.Relative), World.Cancellation);
        _seen.Enqueue(new Seen(key, workflow, askedAt, DateTimeOffset.UtcNow, (int)answer.StatusCode));
    }

    private static void Write(string file, DateTimeOffset expiresAt, bool isChanged)
    {
        object Key(string key, DateTimeOffset? until = null) =>
            new { Id = key[..8], Sha256 = World.Sha256(key), ExpiresAt = until?.ToString("O") };
        var keys = isChanged ? new[] { Key(Staying) } : [Key(Staying), Key(Revoked)];
        var teams = new
        {
            one = new { Workflows = new[] { isChanged ? "w2" : "w1" }, Quota = "plenty", ApiKeys = keys },
            two = new { Workflows = new[] { "w1" }, Quota = "plenty", ApiKeys = new[] { Key(Expiring, expiresAt) } },
        };
        // Replaces the file atomically, like an editor or an orchestrator.
        File.WriteAllText(file + ".new", JsonSerializer.Serialize(new { Teams = teams }));
        File.Move(file + ".new", file, overwrite: true);
    }

    private sealed record Seen(
        string Key, string Workflow, DateTimeOffset AskedAt, DateTimeOffset AnsweredAt, int Status);
}
