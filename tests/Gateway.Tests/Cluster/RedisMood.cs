using System.Diagnostics;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Two nodes under load during a fault of their Redis. The load is cached jobs, new jobs on one node, and new slow
/// jobs on both nodes at once. It records the answers, and asserts the results at the end.
/// </summary>
internal sealed class RedisMood : IAsyncDisposable
{
    private const int Warm = 10;

    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(5);

    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly MoodTally _tally;
    private readonly HttpClient[] _clients;
    private readonly List<(string Job, int Node)> _asked = [];
    private int _lastJob;
    private TimeSpan _recovery;

    private RedisMood(string name, World world, GatewayNode[] nodes)
    {
        (World, Nodes) = (world, nodes);
        _tally = new MoodTally(name);
        _clients = [.. nodes.Select(node => node.Client(("X-Api-Key", World.MappingKey)))];
    }

    public World World { get; }

    public GatewayNode[] Nodes { get; }

    /// <summary>The number of upstream calls for each job, available after <see cref="VerifyAsync"/>.</summary>
    public IReadOnlyDictionary<string, int> Calls { get; private set; } = new Dictionary<string, int>();

    /// <summary>Called with the id of each new job before the job is requested.</summary>
    public Func<string, Task> BeforeNewJob { get; set; } = _ => Task.CompletedTask;

    /// <summary>Starts both nodes, and fills their memory.</summary>
    public static async Task<RedisMood> StartAsync(string name, string redis)
    {
        var world = await World.WithoutGatewayAsync(
            clock: null, ("ConnectionStrings:Redis", redis), ("Redis:Timeout", $"{MoodTally.Timeout}"));
        var nodes = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => world.AddGateway())));
        var mood = new RedisMood(name, world, nodes);
        for (var i = 0; i < Warm; i++)
        {
            foreach (var client in mood._clients)
                using (await client.GetAsync(Path(mood.WarmJob(i)), World.Cancellation)) { }
        }
        return mood;
    }

    /// <summary>Sends load during the fault, and shortly before and after it.</summary>
    public async Task RunAsync(Func<Task> mood)
    {
        World.Upstream.Faults.Add(
            new() { Job = "finished-slow*", Kind = Simulator.FaultKind.Delay, Delay = MoodTally.SlowUpstream });
        using var end = new CancellationTokenSource();
        var load = Task.WhenAll(
            EveryAsync(20, i => AskAsync(i % 2, WarmJob(i % Warm), MoodTally.Kind.Memory), end.Token),
            EveryAsync(25, i => AskNewAsync(i % 2), end.Token),
            EveryAsync(100, _ => AskBothAsync(), end.Token),
            Task.Run(() => _tally.WatchClockAsync(end.Token), World.Cancellation));
        await Task.Delay(300, World.Cancellation);
        var linesBefore = RedisLines();
        var began = Stopwatch.GetTimestamp();
        await mood();
        _tally.Logged(RedisLines().Zip(linesBefore, (after, before) => after - before),
            Stopwatch.GetElapsedTime(began));
        var recovery = RecoverAsync(end.Token);
        _recovery = await recovery;
        await Task.Delay(200, World.Cancellation);
        await end.CancelAsync();
        await load;
    }

    /// <summary>Asserts the results, and adds a row to the table.</summary>
    public async Task VerifyAsync()
    {
        // Jobs of one node are requested from the other one: nothing left in Redis may delay them.
        using var end = new CancellationTokenSource();
        var clock = Task.Run(() => _tally.WatchClockAsync(end.Token), World.Cancellation);
        foreach (var (job, node) in _asked) await AskAsync(1 - node, job, MoodTally.Kind.Other);
        await end.CancelAsync();
        await clock;

        Calls = World.Upstream.Ledger.PerJob;
        World.Upstream.Faults.Clear();
        foreach (var job in _tally.Jobs) _tally.Compare(job, await World.UpstreamBytesAsync(job));
        _tally.Write(_recovery);
        _tally.AssertResults(_recovery, Recovery);
        Assert.All(Nodes, node => Assert.DoesNotContain(node.Log.All, IsError));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) client.Dispose();
        await World.DisposeAsync();
    }

    private static Uri Path(string job) => new($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative);

    private static bool IsError(string line) =>
        line.StartsWith("Error ", StringComparison.Ordinal) || line.StartsWith("Critical ", StringComparison.Ordinal);

    private string WarmJob(int i) => $"finished-warm-{_run}-{i}";

    private int[] RedisLines() => [.. Nodes.Select(node => node.Log.All.Count(line =>
        line.StartsWith("Warning Gateway.Redis", StringComparison.Ordinal) ||
        line.StartsWith("Information Gateway.Redis", StringComparison.Ordinal)))];

    private async Task AskNewAsync(int node)
    {
        var job = $"finished-new-{_run}-{Interlocked.Increment(ref _lastJob)}";
        lock (_asked) _asked.Add((job, node));
        await BeforeNewJob(job);
        await AskAsync(node, job, MoodTally.Kind.Other);
    }

    private async Task AskBothAsync()
    {
        var job = $"finished-slow-{_run}-{Interlocked.Increment(ref _lastJob)}";
        await BeforeNewJob(job);
        await Task.WhenAll(AskAsync(0, job, MoodTally.Kind.Slow), AskAsync(1, job, MoodTally.Kind.Slow));
    }

    private async Task AskAsync(int node, string job, MoodTally.Kind kind)
    {
        var asked = Stopwatch.GetTimestamp();
        using var answer = await _clients[node].GetAsync(Path(job), World.Cancellation);
        var took = Stopwatch.GetElapsedTime(asked);
        _tally.Add(kind, job, answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(World.Cancellation), took);
    }

    /// <returns>The time until each node had a job out of Redis that the other node had fetched.</returns>
    private async Task<TimeSpan> RecoverAsync(CancellationToken end)
    {
        var well = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(well) < 3 * Recovery && !end.IsCancellationRequested)
        {
            if (await IsSharedAsync(0) && await IsSharedAsync(1)) break;
            await Task.Delay(50, World.Cancellation);
        }
        return Stopwatch.GetElapsedTime(well);
    }

    private async Task<bool> IsSharedAsync(int first)
    {
        var job = $"finished-share-{_run}-{Interlocked.Increment(ref _lastJob)}";
        await AskAsync(first, job, MoodTally.Kind.Other);
        await AskAsync(1 - first, job, MoodTally.Kind.Other);
        return World.Upstream.Ledger.CallsFor(job) == 1;
    }

    // Sends at fixed intervals: late answers do not delay further requests.
    private static async Task EveryAsync(int milliseconds, Func<int, Task> ask, CancellationToken end)
    {
        var asking = new List<Task>();
        for (var i = 0; !end.IsCancellationRequested; i++)
        {
            asking.Add(ask(i));
            await Task.Delay(milliseconds, World.Cancellation);
        }
        await Task.WhenAll(asking);
    }
}
