using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Telemetry;

public sealed class VersionTests
{
    [Fact]
    public async Task The_command_line_and_the_metrics_report_the_version_of_the_last_tag()
    {
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable, "--version"]);
        Assert.Equal(0, exit);
        var version = output.Trim();
        Assert.Matches(@"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9a-f]{7,40})?$", version);
        Assert.NotEqual("1.0.0", version.Split('+')[0]);

        await using var world = await World.StartAsync();
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        using var client = new HttpClient();
        var metrics = await client.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), World.Cancellation);

        Assert.Contains($"service_version=\"{version}\"", metrics, StringComparison.Ordinal);
        Assert.Contains("service_name=\"gateway\"", metrics, StringComparison.Ordinal);
    }
}
