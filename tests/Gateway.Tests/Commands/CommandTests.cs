using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Gateway.Callers;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Commands;

public sealed class CommandTests
{
    [Fact]
    public async Task The_demo_prints_working_commands_and_stops_at_ctrl_c()
    {
        int port = ChildProcess.FreePort(), upstreamPort = ChildProcess.FreePort();
        await using var demo = new ChildProcess("dotnet",
            [GatewayProcess.Executable, "demo", "--port", $"{port}", "--upstream-port", $"{upstreamPort}",
                "--identity-port", "0", "--page-port", "0"]);
        await demo.UntilAsync(() => Task.FromResult(demo.Output.Contains("Ctrl-C", StringComparison.Ordinal)));
        var lines = demo.Output.Split('\n').Select(line => line.Trim())
            .Where(line => line.StartsWith("curl", StringComparison.Ordinal)
            || line.StartsWith("for ", StringComparison.Ordinal)).ToList();

        var outputs = new List<string>();
        foreach (var line in lines) outputs.Add((await ChildProcess.RunAsync("bash", ["-c", line])).Output);

        Assert.Equal(6, lines.Count);
        Assert.Contains("fwd=uri-miss; fwd-status=200; stored", outputs[0], StringComparison.Ordinal);
        Assert.Contains("Gateway; hit", outputs[1], StringComparison.Ordinal);
        Assert.Contains("\"status\":\"queued\"", outputs[2], StringComparison.Ordinal);
        Assert.Matches("(?s)event: job\ndata: .*\"status\":\"completed\".*\n\nevent: end", outputs[3]);
        Assert.Contains("403 Forbidden", outputs[4], StringComparison.Ordinal);
        Assert.Equal(["200", "200", "200", "200", "200", "429", "429"],
            Regex.Matches(outputs[5], @"\b\d{3}\b").Select(match => match.Value));

        string[] pages = [.. Regex.Matches(demo.Output, @"http\S+/view/\S+").Select(match => match.Value)];
        using var client = new HttpClient();
        Assert.Equal(2, pages.Length);
        foreach (var page in pages)
        {
            var html = await client.GetStringAsync(page, World.Cancellation);
            Assert.Contains("view.mjs", html, StringComparison.Ordinal);
        }
        demo.Signal("INT");
        Assert.Equal(0, await demo.ExitAsync());
    }

    [Theory]
    [InlineData("--port")]
    [InlineData("--upstream-port")]
    [InlineData("--identity-port")]
    [InlineData("--page-port")]
    public async Task The_demo_names_a_port_that_is_in_use(string option)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        string[] options = ["--port", "--upstream-port", "--identity-port", "--page-port"];

        var (exit, output) = await RunAsync(
            ["demo", .. options.SelectMany(name => (string[])[name, name == option ? $"{port}" : "0"])]);

        Assert.Equal(1, exit);
        Assert.Contains($"{port}", output, StringComparison.Ordinal);
        Assert.Contains(option, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_key_is_accepted_by_a_gateway_that_holds_only_its_hash()
    {
        var (exit, output) = await RunAsync("keys", "new", "--team", "survey");
        Assert.Equal(0, exit);
        var key = Regex.Match(output, "gwk_[A-Za-z0-9_-]{48}").Value;
        var hash = Regex.Match(output, "Sha256\": \"([0-9a-f]{64})\"").Groups[1].Value;

        await using var world = await World.StartAsync(("Teams:survey:ApiKeys:0:Sha256", hash));
        using var answer = await world.GetAsync("finished-1", key: key);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_new_key_of_an_operator_comes_with_its_entry()
    {
        var (exit, output) = await RunAsync("keys", "new", "--operator", "ops");
        Assert.Equal(0, exit);
        var entry = Regex.Match(
            output, "Operators__ApiKeys__0__Id=(.*)\\n +Operators__ApiKeys__0__Sha256=([0-9a-f]{64})");
        Assert.StartsWith("ops-", entry.Groups[1].Value, StringComparison.Ordinal);
        Assert.Equal(World.Sha256(Regex.Match(output, "gwk_[A-Za-z0-9_-]{48}").Value), entry.Groups[2].Value);
    }

    [Fact]
    public async Task A_key_can_be_checked_without_a_gateway()
    {
        var key = GatewayKey.Create();
        var (exit, output) = await CheckAsync(key);
        Assert.Equal(0, exit);
        Assert.Contains(World.Sha256(key), output, StringComparison.Ordinal);
        Assert.DoesNotContain(key, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gwk_AAAA", "incomplete or mistyped")]
    [InlineData("made-elsewhere", "was not created by 'keys new'")]
    [InlineData("", "on standard input")]
    public async Task A_malformed_key_exits_with_1_and_names_the_reason(string key, string why)
    {
        var (exit, output) = await CheckAsync(key);
        Assert.Equal(1, exit);
        Assert.Contains(why, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("frobnicate")]
    [InlineData("demo", "--nonsense")]
    [InlineData("keys", "new")]
    [InlineData("keys", "new", "--team", "a", "--operator", "b")]
    [InlineData("keys")]
    [InlineData("health", "--url", "nonsense")]
    public async Task Unknown_or_incomplete_commands_print_usage_and_exit_with_2(params string[] arguments)
    {
        var (exit, output) = await RunAsync(arguments);
        Assert.Equal(2, exit);
        Assert.Contains("Usage:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_gateway_refuses_to_start_without_a_credential_and_names_the_setting()
    {
        var (exit, output) = await RunAsync();
        Assert.Equal(1, exit);
        Assert.Contains("Upstream:Accounts:default:Credential: ", output, StringComparison.Ordinal);
        Assert.Contains("Upstream__Accounts__default__Credential", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_configuration_error_has_its_own_line()
    {
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable], new()
        {
            ["Upstream__Accounts__default__Credential"] = "a-credential",
            ["Upstream__Timeout"] = "10",
            ["Jobs__RunningLifetime"] = "-00:00:01",
            ["Teams__mapping__Quota"] = "none",
        });
        Assert.Equal(1, exit);
        Assert.All((string[])["Upstream:Timeout: ", "Jobs:RunningLifetime: ", "Teams:mapping:Quota: "],
            key => Assert.Contains(key, output, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, "{\"Timestamp\":")]
    [InlineData("systemd", "<6>")]
    public async Task Log_lines_have_the_configured_format(string? form, string beginning)
    {
        var environment =
            new Dictionary<string, string?> { ["Upstream__Accounts__default__Credential"] = "a-credential" };
        if (form is not null) environment["Logging__Console__FormatterName"] = form;
        await using var gateway = await GatewayProcess.StartAsync(environment);
        await gateway.UntilPrintedAsync("Now listening");
        Assert.Contains(gateway.Output.Split('\n'), line => line.Contains(beginning, StringComparison.Ordinal)
            && line.Contains("Now listening", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://10.99.99.99:18080")]
    [InlineData("nonsense")]
    [InlineData("https://127.0.0.1:0")]
    public async Task An_unusable_listen_address_is_reported_without_a_crash(string address)
    {
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable, $"--urls={address}"],
            new() { ["Upstream__Accounts__default__Credential"] = "a-credential" });
        Assert.Equal(1, exit);
        Assert.DoesNotContain("Unhandled exception", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_health_command_ignores_the_proxy_of_the_environment()
    {
        await using var world = await World.StartAsync();
        var (exit, _) = await ChildProcess.RunAsync("dotnet",
            [GatewayProcess.Executable, "health", "--url", $"{world.Gateway.Address}health/live"],
            new() { ["HTTP_PROXY"] = $"http://127.0.0.1:{ChildProcess.FreePort()}" });
        Assert.Equal(0, exit);
    }

    [Theory]
    [InlineData("ASPNETCORE_URLS", "https://*:1;http://*:{0}")]
    [InlineData("ASPNETCORE_HTTP_PORTS", "{0}")]
    [InlineData("Kestrel__Endpoints__Callers__Url", "http://0.0.0.0:{0}")]
    [InlineData("Management__Port", "{0}")]
    public async Task The_health_command_follows_the_configured_port(string name, string value)
    {
        await using var world = await World.StartAsync();
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable, "health"],
            new() { [name] = string.Format(CultureInfo.InvariantCulture, value, world.Gateway.Address.Port) });
        Assert.True(exit == 0, output);
    }

    [Fact]
    public async Task The_health_command_exits_with_0_for_a_live_gateway_and_1_for_none()
    {
        await using var world = await World.StartAsync();
        var alive = await RunAsync("health", "--url", $"{world.Gateway.Address}health/live");
        var dead = await RunAsync("health", "--url", $"http://127.0.0.1:{ChildProcess.FreePort()}/health/live");
        Assert.Equal([0, 1], [alive.Exit, dead.Exit]);
    }

    private static Task<(int Exit, string Output)> CheckAsync(string key) =>
        ChildProcess.RunAsync("bash", ["-c", $"printf %s '{key}' | dotnet '{GatewayProcess.Executable}' keys check"]);

    private static Task<(int Exit, string Output)> RunAsync(params string[] arguments) =>
        ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable, .. arguments]);
}
