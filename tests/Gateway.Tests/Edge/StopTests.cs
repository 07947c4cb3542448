using System.Diagnostics;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

/// <summary>How a node stops, and what its callers notice.</summary>
public sealed class StopTests
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task A_draining_node_answers_but_is_not_ready_and_ends_connections()
    {
        await using var world = await World.StartAsync();
        await using var node = await StartAsync(world, Delay);
        var connections = 0;
        using var client = Counting(node, HttpVersion.Version11, () => connections++);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(client));
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, "health/ready"));

        var started = Stopwatch.GetTimestamp();
        node.Signal("TERM");
        await Wait.UntilAsync(TimeSpan.FromSeconds(3),
            async () => await GatewayProcess.StatusOf(client, "health/ready") == HttpStatusCode.ServiceUnavailable,
            "the node is not ready");
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, "health/live"));
        for (var i = 1; i <= 3; i++)
        {
            var before = connections;
            using var answer = await client.GetAsync(Job, World.Cancellation);
            Assert.Equal((HttpStatusCode.OK, true), (answer.StatusCode, answer.Headers.ConnectionClose));
            Assert.Equal(before + 1, connections);
        }

        Assert.Equal(0, await node.ExitAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(started), Delay, Delay + TimeSpan.FromSeconds(3) + Promptness.Grace);
        Assert.Contains("The node will stop in 4 s", node.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_draining_node_ends_connections_of_HTTP2()
    {
        await using var world = await World.StartAsync(("Kestrel:EndpointDefaults:Protocols", "Http2"));
        await using var node = await StartAsync(world, Delay);
        var connections = 0;
        using var client = Counting(node, HttpVersion.Version20, () => connections++);
        for (var i = 0; i < 3; i++) Assert.Equal(HttpStatusCode.OK, await AskAsync(client));
        Assert.Equal(1, connections);

        node.Signal("TERM");
        await node.UntilPrintedAsync("The node will stop");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await AskAsync(client));
            // The frame that ends the connection may come after the answer.
            await Task.Delay(200, World.Cancellation);
        }

        Assert.Equal(3, connections);
    }

    [Fact]
    public async Task A_second_signal_stops_a_draining_node_at_once()
    {
        await using var world = await World.StartAsync();
        await using var node = await StartAsync(world, TimeSpan.FromMinutes(5));

        node.Signal("TERM");
        await node.UntilPrintedAsync("The node will stop in 300 s");
        var started = Stopwatch.GetTimestamp();
        node.Signal("INT");

        Assert.Equal(0, await node.ExitAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(3) + Promptness.Grace);
    }

    [Fact]
    public async Task A_node_without_a_delay_stops_at_the_first_signal()
    {
        await using var world = await World.StartAsync();
        await using var node = await StartAsync(world, TimeSpan.Zero);

        var started = Stopwatch.GetTimestamp();
        node.Signal("TERM");

        Assert.Equal(0, await node.ExitAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(3) + Promptness.Grace);
    }

    [Fact]
    public async Task SIGHUP_does_not_stop_a_node()
    {
        await using var world = await World.StartAsync();
        await using var node = await StartAsync(world, TimeSpan.Zero);
        using var client = node.Client();

        node.Signal("HUP");
        await node.UntilPrintedAsync("SIGHUP has no effect");

        Assert.Equal(HttpStatusCode.OK, await AskAsync(client));
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, "health/ready"));
    }

    [Fact]
    public async Task A_rolling_restart_behind_a_load_balancer_fails_no_request()
    {
        const int Rate = 100;
        await using var world = await World.StartAsync();
        await using var nodes = new Processes();
        for (var i = 0; i < 3; i++) nodes.Add(await StartAsync(world, TimeSpan.FromSeconds(3)));
        await using var proxy = await HaproxyProxy.StartAsync([.. nodes.Select(node => node.Address)]);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        var asking = AskSteadilyAsync(proxy.Address, Rate, ending.Token);

        for (var i = 0; i < nodes.Count; i++)
        {
            nodes[i].Signal("TERM");
            Assert.Equal(0, await nodes[i].ExitAsync());
            var address = nodes[i].Address;
            await nodes[i].DisposeAsync();
            nodes[i] = await GatewayProcess.StartAsync(Environment(world, TimeSpan.FromSeconds(3)), address);
            // The load balancer needs two checks to see that the node is back.
            await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
        }

        await ending.CancelAsync();
        var answers = await asking;
        Assert.All(answers, answer => Assert.Equal("OK", answer));
        Assert.True(answers.Length > 10 * Rate, $"{answers.Length} requests");
    }

    private static Uri Job { get; } = new("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative);

    private static Dictionary<string, string?> Environment(World world, TimeSpan delay)
    {
        var environment = world.Environment();
        environment["Server__DrainDelay"] = $"{delay}";
        return environment;
    }

    private static Task<GatewayProcess> StartAsync(World world, TimeSpan delay) =>
        GatewayProcess.StartAsync(Environment(world, delay));

    private static async Task<HttpStatusCode> AskAsync(HttpClient client)
    {
        using var answer = await client.GetAsync(Job, World.Cancellation);
        return answer.StatusCode;
    }

    private static HttpClient Counting(GatewayProcess node, Version version, Action connected)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancelled) =>
            {
                connected();
                var socket = new System.Net.Sockets.Socket(
                    System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
                await socket.ConnectAsync(context.DnsEndPoint, cancelled);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        })
        {
            BaseAddress = node.Address,
            DefaultRequestVersion = version,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        return client;
    }

    // Sends requests at a fixed rate, whether or not earlier ones are answered.
    private static async Task<string[]> AskSteadilyAsync(Uri address, int rate, CancellationToken ending)
    {
        using var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        using var ticks = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / rate));
        var asked = new List<Task<string>>();
        try
        {
            while (await ticks.WaitForNextTickAsync(ending)) asked.Add(OutcomeAsync(client));
        }
        catch (OperationCanceledException)
        {
            // All nodes are restarted.
        }
        return await Task.WhenAll(asked);
    }

    private static async Task<string> OutcomeAsync(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync(Job, World.Cancellation);
            return answer.IsSuccessStatusCode ? $"{answer.StatusCode}"
                : $"{answer.StatusCode} {await answer.Content.ReadAsStringAsync(World.Cancellation)}";
        }
        catch (HttpRequestException e)
        {
            return e.Message;
        }
    }

    private sealed class Processes : List<GatewayProcess>, IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var process in this) await process.DisposeAsync();
        }
    }
}
