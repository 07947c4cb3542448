using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Commands;

/// <summary>Starts that fail: one JSON line for each reason, no stack trace, and exit code 1.</summary>
public sealed class StartErrorTests
{
    [Theory]
    [InlineData("urls: must be an address", "--urls=nonsense")]
    [InlineData("urls: must be an address", "--urls=http://127.0.0.1:99999")]
    [InlineData("urls: must be an address", "--urls=http://localhost:8o80")]
    [InlineData("urls: must be an address", "--urls=http://localhost:8080/path")]
    [InlineData("urls: must be an address", "--urls=ftp://localhost:8080")]
    [InlineData("http_ports: must be ports", "--http_ports=abc")]
    [InlineData("https_ports: must be ports", "--https_ports=70000")]
    [InlineData("Kestrel:Endpoints:a:Url: must be an address", "--Kestrel:Endpoints:a:Url=nonsense")]
    [InlineData("An address in urls, http_ports, https_ports or Kestrel:Endpoints cannot be used: ",
        "--urls=http://10.99.99.99:18080")]
    [InlineData("Unable to configure HTTPS endpoint.", "--urls=https://127.0.0.1:0")]
    public async Task An_address_that_cannot_be_used_is_one_line(string reason, string argument) =>
        Assert.StartsWith(reason, Assert.Single(await FailAsync([argument])), StringComparison.Ordinal);

    [Theory]
    [InlineData("--urls=http://127.0.0.1:{0}")]
    [InlineData("--Management:Port={0}")]
    public async Task A_port_that_is_in_use_is_one_line(string argument)
    {
        using var taken = new TcpListener(IPAddress.IPv6Any, 0);
        taken.Server.DualMode = true;
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;

        var reasons = await FailAsync([argument.Replace("{0}", $"{port}", StringComparison.Ordinal)]);

        Assert.Matches($"^Failed to bind to address .*:{port}: address already in use", Assert.Single(reasons));
    }

    [Fact]
    public async Task All_errors_of_the_configuration_are_reported_at_once()
    {
        var reasons = await FailAsync(
            ["--urls=nonsense", "--Jobs:RunningLifetime=soon", "--Jobs:StaleIfError=9.00:00:00", "--Jobs:Nothing=1"]);

        Assert.Equal(["Jobs:Nothing", "Jobs:RunningLifetime", "Jobs:StaleIfError", "urls"],
            reasons.Select(reason => reason.Split(": ")[0]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_wrong_file_and_a_wrong_argument_are_reported_at_once()
    {
        var name = $"test-{Guid.NewGuid():N}";
        var file = Path.Combine(AppContext.BaseDirectory, $"appsettings.{name}.json");
        await File.WriteAllTextAsync(file, """{ "Teams": { "a": 1, "A": 1 } }""", World.Cancellation);
        try
        {
            var reasons = await FailAsync([$"--environment={name}", "--Jobs:StaleIfError=9.00:00:00"]);
            Assert.Equal([file, "Jobs:StaleIfError"], reasons.Select(reason => reason.Split(": ")[0]));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(40)]
    [InlineData(100)]
    [InlineData(300)]
    public async Task Too_few_file_handles_are_one_line(int handles)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The limit is read from /proc.");
        var reasons = await FailAsync(
            "sh", ["-c", $"ulimit -n {handles} && exec dotnet '{GatewayProcess.Executable}'"]);
        Assert.StartsWith($"the process may open only {handles} files, and needs ", Assert.Single(reasons),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gateway_starts_although_the_user_may_watch_no_file()
    {
        await using var gateway = await GatewayProcess.StartWithoutFileEventsAsync(
            new() { ["Upstream__Accounts__default__Credential"] = "a-credential" });
        await gateway.UntilPrintedAsync("Now listening");
    }

    private static Task<List<string>> FailAsync(string[] arguments) =>
        FailAsync("dotnet", [GatewayProcess.Executable, .. arguments]);

    /// <summary>Runs a gateway that cannot start, and returns the reasons that it logs.</summary>
    private static async Task<List<string>> FailAsync(string program, string[] arguments)
    {
        const string Beginning = "The gateway cannot start: ";
        var (exit, output) = await ChildProcess.RunAsync(program, arguments,
            new() { ["Upstream__Accounts__default__Credential"] = "a-credential" });
        Assert.Equal(1, exit);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        var reasons = new List<string>();
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.GetProperty("LogLevel").GetString() is "Warning" or "Information") continue;
            Assert.Equal("Critical", json.RootElement.GetProperty("LogLevel").GetString());
            var message = json.RootElement.GetProperty("Message").GetString()!;
            Assert.StartsWith(Beginning, message, StringComparison.Ordinal);
            reasons.Add(message[Beginning.Length..]);
        }
        return reasons;
    }
}
