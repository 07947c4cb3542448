using System.Diagnostics;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>Thousands of streams of one job on several gateway processes.</summary>
[Trait("Redis", "one")]
public sealed class WatchingTests(ITestOutputHelper output)
{
    private const int Nodes = 3, Streams = 600, Seconds = 20;

    private const string Job = "run-20";

    public enum Trouble
    {
        None,
        NodeIsKilled,
        RedisIsKilled,
        UpstreamFails,
    }

    [Theory]
    [InlineData(Trouble.None)]
    [InlineData(Trouble.NodeIsKilled)]
    [InlineData(Trouble.RedisIsKilled)]
    [InlineData(Trouble.UpstreamFails)]
    public async Task Every_stream_sees_each_state_once_in_order_and_the_end_in_time(Trouble trouble)
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null,
        [
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Logging:LogLevel:Default", "Warning"),
            ("Logging:LogLevel:Gateway", "Warning"), ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"),
            ("Logging:LogLevel:Polly", "None"),
        ]);
        var nodes = await Task.WhenAll(
            Enumerable.Range(0, Nodes).Select(_ => GatewayProcess.StartAsync(world.Environment())));
        try
        {
            await RunAsync(world, redis, nodes, trouble);
        }
        finally
        {
            foreach (var node in nodes) await node.DisposeAsync();
        }
    }

    private async Task RunAsync(World world, OwnRedis redis, GatewayProcess[] nodes, Trouble trouble)
    {
        using var http = new HttpClient(new SocketsHttpHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        // The life of the job begins with the first call.
        world.Upstream.Lives.Set(Job, LifeStage.Queued);
        var addresses = Array.ConvertAll(nodes, node => node.Address);
        var streams = Enumerable.Range(0, Streams).Select(i =>
            new EventSourceClient(http, addresses, i, EventReader.PathOf(Job))).ToArray();
        var running = streams.Select(stream => Task.Run(stream.RunAsync)).ToArray();
        await Wait.UntilAsync(TimeSpan.FromSeconds(60),
            () => streams.All(stream => stream.States.Count > 0), "all streams are open");
        world.Upstream.Ledger.Clear();
        var started = Stopwatch.GetTimestamp();
        world.Upstream.Lives.Clear();

        await Task.Delay(TimeSpan.FromSeconds(Seconds / 2.0), World.Cancellation);
        if (trouble == Trouble.NodeIsKilled) nodes[0].Signal("KILL");
        if (trouble == Trouble.RedisIsKilled) await redis.KillAsync();
        if (trouble == Trouble.UpstreamFails)
        {
            world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 503 });
            await Task.Delay(TimeSpan.FromSeconds(5), World.Cancellation);
            world.Upstream.Faults.Clear();
        }
        await Task.WhenAll(running).WaitAsync(TimeSpan.FromSeconds(60), World.Cancellation);

        var ends = streams.Select(stream =>
            Stopwatch.GetElapsedTime(started, stream.States[^1].At).TotalSeconds).Order().ToArray();
        output.WriteLine($"{trouble}: {world.Upstream.Ledger.Total} calls, ends {ends[0]:0.0} to {ends[^1]:0.0} s, "
            + $"{streams.Sum(stream => stream.Connections)} connections, "
            + $"{streams.Average(stream => stream.States.Count):0.0} states");
        Assert.All(streams, stream =>
        {
            Assert.Equal(("completed", 100), (stream.States[^1].Status, stream.States[^1].Progress));
            Assert.Equal("end", stream.Others[^1]);
            Assert.Equal(stream.States.Count, stream.States.DistinctBy(state => state.Id).Count());
            Assert.Equal(stream.States.Skip(1).Select(state => state.Progress),
                stream.States.Skip(1).Select(state => state.Progress).Order());
        });
        // A poll that was under way at the start began the life of the job.
        Assert.InRange(ends[^1], Seconds - 1, Seconds + 3 + Promptness.Grace.TotalSeconds);
        Assert.InRange(world.Upstream.Ledger.Total, 1, trouble == Trouble.None ? 11 : 33);
    }
}
