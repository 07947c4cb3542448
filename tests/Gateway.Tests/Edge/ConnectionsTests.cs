using System.Net;
using System.Net.Sockets;
using Gateway.Edge;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

[Collection(nameof(Alone))]
public sealed class ConnectionsTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(512, 112)]
    [InlineData(1024, 624)]
    [InlineData(4096, 3072)]
    [InlineData(1_048_576, 786_432)]
    [InlineData(10, 16)]
    public void A_quarter_of_the_handles_and_at_least_400_are_reserved_for_other_uses(long handles, int connections) =>
        Assert.Equal(connections, Connections.LimitFor(handles));

    [Fact]
    public void Connections_are_unlimited_without_a_handle_limit() =>
        Assert.Equal(int.MaxValue, Connections.LimitFor(null));

    [Fact]
    public async Task A_process_with_few_handles_survives_more_connections_than_handles()
    {
        const int Handles = 512;
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        var environment = world.Environment();
        var port = ChildProcess.FreePort();
        environment["Management__Port"] = $"{port}";
        await using var gateway = await GatewayProcess.StartAsync(environment, Handles);
        var many = new List<Socket>();
        try
        {
            for (var i = 0; i < 2 * Handles; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                many.Add(socket);
                try
                {
                    await socket.ConnectAsync(gateway.Address.Host, gateway.Address.Port, World.Cancellation).AsTask()
                        .WaitAsync(Bound, World.Cancellation);
                }
                catch (SocketException)
                {
                    // The gateway closed the connection at once.
                }
            }
            // The management port still answers, and one log line reports that other connections are closed. A busy
            // machine may need a moment to close those beyond the limit.
            using var management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
            await Wait.UntilAsync(Bound,
                async () => await GatewayProcess.StatusOf(management, "health/ready") == HttpStatusCode.OK,
                "the management port answers");
            await Wait.UntilAsync(
                Bound, async () => await Shipped.MetricAsync(port, "gateway_connections_refused_total") >= Handles,
                "connections beyond the limit are counted");
            await gateway.UntilPrintedAsync("further connections are closed");
        }
        finally
        {
            foreach (var socket in many) socket.Dispose();
        }

        // The gateway has recovered: it serves callers and reaches the upstream, which also needs handles.
        using var client = gateway.Client();
        await Wait.UntilAsync(Bound,
            async () =>
                await GatewayProcess.StatusOf(client, "v0/workflows/survey-1/jobs/finished-1") == HttpStatusCode.OK,
            "callers are let in again");
        Assert.Single(gateway.Output.Split('\n'),
            line => line.Contains("further connections are closed", StringComparison.Ordinal));
        Assert.DoesNotContain("\"LogLevel\":\"Critical\"", gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_connection_limit_is_configurable_and_closed_connections_free_their_place()
    {
        await using var world = await World.StartAsync(("Server:MaxConnections", "16"));
        for (var round = 0; round < 3; round++)
        {
            var connections = new List<RawConnection>();
            for (var i = 0; i < 16; i++) connections.Add(await OpenAsync(world));
            Assert.Null(await AskAsync(world));
            foreach (var connection in connections) connection.Dispose();
        }
    }

    // Retries until a connection is accepted: the gateway notices closed connections with a short delay.
    private static async Task<RawConnection> OpenAsync(World world)
    {
        RawConnection? open = null;
        await Wait.UntilAsync(
            Bound, async () => (open = await AskAsync(world)) is not null, "a new connection is accepted");
        return open!;
    }

    // Returns null if the gateway closed the connection, possibly before the request was written.
    private static async Task<RawConnection?> AskAsync(World world)
    {
        RawConnection? open = null;
        try
        {
            open = await RawConnection.OpenAsync(world.Gateway.Address);
            await open.SendAsync("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
            if (await open.ReadAsync().WaitAsync(Bound, World.Cancellation) is not null) return open;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
        }
        open?.Dispose();
        return null;
    }
}
