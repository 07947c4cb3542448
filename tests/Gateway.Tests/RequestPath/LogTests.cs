using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class LogTests
{
    // The levels of the shipped appsettings.json.
    private static readonly (string, string?)[] Shipped =
    [
        ("Logging:LogLevel:Default", "Information"),
        ("Logging:LogLevel:Gateway", "Information"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"),
        ("Logging:LogLevel:Polly", "Error"),
    ];

    [Fact]
    public async Task A_gateway_without_any_key_logs_a_warning_at_the_start()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null);
        var environment = world.Environment()
            .Where(setting => !setting.Key.StartsWith("Teams", StringComparison.Ordinal));
        await using var gateway = await GatewayProcess.StartAsync(new(environment));
        Assert.Contains("No team has a key", gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_or_failed_request_logs_one_line_and_a_served_one_none()
    {
        await using var world = await World.StartAsync(Shipped);
        world.Upstream.Faults.Add(new Fault { Job = "finished-9", Kind = FaultKind.Status });
        var before = world.Gateway.Log.All.Count;

        using var served = await world.GetAsync("finished-1");
        using var hit = await world.GetAsync("finished-1");
        Assert.Equal(before, world.Gateway.Log.All.Count);
        using var unknown = await world.GetAsync("finished-1", key: "a-wrong-key");
        using var failed = await world.GetAsync("finished-9");

        var lines = world.Gateway.Log.All.Skip(before).ToList();
        Assert.Equal(2, lines.Count);
        Assert.StartsWith("Information Gateway.RequestPath: 401 for job survey-1/finished-1", lines[0],
            StringComparison.Ordinal);
        Assert.StartsWith(
            "Warning Gateway.RequestPath: 503 for job survey-1/finished-9, team mapping, caller mapping-test", lines[1],
            StringComparison.Ordinal);
        var traceId = (await BoundTests.ProblemAsync(failed)).GetProperty("traceId").GetString();
        Assert.Contains($"trace {traceId}", lines[1], StringComparison.Ordinal);
        Assert.DoesNotContain(lines, line => line.Contains("a-wrong-key", StringComparison.Ordinal)
            || line.Contains(World.MappingKey, StringComparison.Ordinal));
    }
}
