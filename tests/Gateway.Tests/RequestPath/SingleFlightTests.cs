using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class SingleFlightTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("finished-1", "00:00:02")]
    [InlineData("run-300", "00:00:00")]
    [InlineData("finished-1.size-400", "00:00:02")]
    public async Task Five_hundred_requests_cost_one_call_even_if_the_first_caller_disconnects(
        string job, string runningLifetime)
    {
        await using var world = await World.StartAsync(("Jobs:RunningLifetime", runningLifetime));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(2) });
        await DisconnectAtOnceAsync(world, job);
        await Wait.UntilAsync(Bound, () => world.Upstream.Ledger.Total == 1, "the upstream is called");
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        var answers = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ =>
            client.GetAsync(new Uri($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative), World.Cancellation)));

        Assert.Equal(1, world.Upstream.Ledger.Total);
        var bodies = new HashSet<string>();
        foreach (var answer in answers)
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Contains("collapsed", JobTests.CacheStatus(answer), StringComparison.Ordinal);
            bodies.Add(await answer.Content.ReadAsStringAsync(World.Cancellation));
            answer.Dispose();
        }
        Assert.EndsWith("}", Assert.Single(bodies), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fill_completes_after_all_callers_have_disconnected()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Delay, Delay = TimeSpan.FromSeconds(1) });
        await DisconnectAtOnceAsync(world, "finished-1");
        await Wait.UntilAsync(Bound, () => world.Upstream.Ledger.Calls.Count == 1, "the upstream is called");
        Assert.Equal(200, world.Upstream.Ledger.Calls[0].Status);

        using var answer = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_failed_fill_fails_all_its_callers_with_one_call()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500, Delay = TimeSpan.FromSeconds(1) });
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ =>
            client.GetAsync(new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode));
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    private static async Task DisconnectAtOnceAsync(World world, string job)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(world.Gateway.Address.Host, world.Gateway.Address.Port, World.Cancellation);
        socket.LingerState = new LingerOption(true, 0);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /v0/workflows/survey-1/jobs/{job} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n\r\n"),
            World.Cancellation);
        await Wait.UntilAsync(Bound, () => world.Upstream.Ledger.Total == 1, "the upstream is called");
    }
}
