using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Nodes of two versions on one Redis. <c>bench/upgrade</c> runs this test with another version that it has built, and
/// compares the calls to the upstream. Otherwise both are this version, the run is short, and only answers are checked.
/// </summary>
[Trait("Redis", "any")]
public sealed class UpgradeTests(RedisServer redis)
{
    // The variable names the Gateway.dll of the other version.
    private const string Variable = "GATEWAY_OTHER_VERSION";

    private const int Finished = 400, Running = 200, Callers = 6;

    // The jobs do not fit into the memory of a node, so that nodes read what others have stored.
    private const string Memory = "4194304";

    private static readonly TimeSpan ShortRun = TimeSpan.FromSeconds(5), LongRun = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task Two_versions_side_by_side_answer_right_and_fetch_hardly_more_than_one()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } other)
        {
            await CallsAsync(GatewayProcess.Executable, ShortRun);
            return;
        }
        var alone = await CallsAsync(GatewayProcess.Executable, LongRun);
        var mixed = await CallsAsync(other, LongRun);

        TestContext.Current.TestOutputHelper?.WriteLine($"Calls: {alone} with this version, {mixed} with both");
        Assert.InRange(mixed, 1, 1.2 * alone);
    }

    private async Task<int> CallsAsync(string other, TimeSpan length)
    {
        await using var world = await World.WithoutGatewayAsync(
            clock: null, GatewayProcesses.Settings(redis, ("Jobs:MemoryBytes", Memory)));
        await using var one = await GatewayProcess.StartAsync(world.Environment(), other);
        await using var two = await GatewayProcess.StartAsync(world.Environment(), GatewayProcess.Executable);
        string[] jobs =
        [
            .. Enumerable.Range(0, Finished).Select(i => $"finished-{i}.wide"),
            .. Enumerable.Range(0, Running).Select(i => $"run-25-{i}.wide"),
        ];
        var before = world.Upstream.Ledger.Total;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        end.CancelAfter(length);
        var wrong = await Task.WhenAll(Enumerable.Range(0, Callers).Select(
            seed => AskAsync([one, two], jobs, new Random(seed), end.Token)));
        Assert.Empty(wrong.SelectMany(all => all));
        return world.Upstream.Ledger.Total - before;
    }

    /// <summary>Asks random nodes for random jobs, one after the other.</summary>
    /// <returns>The wrong answers. A job that was completed must not be seen running again.</returns>
    private static async Task<List<string>> AskAsync(
        GatewayProcess[] nodes, string[] jobs, Random random, CancellationToken end)
    {
        var (wrong, completed) = (new List<string>(), new HashSet<string>());
        var clients = nodes.Select(node => node.Client()).ToArray();
        while (!end.IsCancellationRequested)
        {
            var job = jobs[random.Next(jobs.Length)];
            using var answer = await clients[random.Next(clients.Length)].GetAsync(
                new Uri($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative), World.Cancellation);
            var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
            var read = answer.StatusCode == HttpStatusCode.OK ? JsonElement.Parse(body) : default;
            var isRight = read.ValueKind == JsonValueKind.Object && read.GetProperty("id").GetString() == job;
            var isCompleted = isRight && read.GetProperty("status").GetString() == "completed";
            if (!isRight || (!isCompleted && completed.Contains(job))) wrong.Add($"{job}: {answer.StatusCode} {body}");
            if (isCompleted) completed.Add(job);
        }
        foreach (var client in clients) client.Dispose();
        return wrong;
    }
}
