using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Commands;

/// <summary>The command <c>check</c>, compared with the start of the gateway.</summary>
public sealed class CheckCommandTests : IDisposable
{
    private const string Secret = "do-not-print-this-0123456789";

    private readonly string _environment = $"test-{Guid.NewGuid():N}";
    private readonly DirectoryInfo _secrets = Directory.CreateTempSubdirectory("gateway");

    private string Json => Path.Combine(AppContext.BaseDirectory, $"appsettings.{_environment}.json");

    public void Dispose()
    {
        File.Delete(Json);
        _secrets.Delete(recursive: true);
    }

    [Theory]
    [InlineData("Jobs:RunningLifetime", "--Jobs:RunningLifetime=soon")]
    [InlineData("Jobs:RunningLifetime Jobs:RuningLifetime", "--Jobs:RunningLifetime=10", "--Jobs:RuningLifetime=1")]
    [InlineData("Teams:a:Quota Teams:a:Account", "--Teams:a:Quota=none", "--Teams:a:Account=none")]
    [InlineData("Teams:a:ApiKeys:0:Sha256 Teams:a:ApiKeys:0:Id", "--Teams:a:ApiKeys:0:Sha256=" + Secret)]
    [InlineData("Upstream:Accounts:b:Credential", "--Upstream:Accounts:b:Credential=" + Secret + "  x")]
    [InlineData("Upstream:Accounts:b", "--Upstream:Accounts:b:NextCredential=" + Secret)]
    [InlineData("Upstream:BaseAddress", "--Upstream:BaseAddress=https://user:" + Secret + "@example.test")]
    [InlineData("ConnectionStrings:Redis", "--ConnectionStrings:Redis=password=" + Secret)]
    [InlineData("ConnectionStrings:Redis", "--ConnectionStrings:Redis=h:1,nonsense=1,password=" + Secret)]
    [InlineData("Authentication:Oidc:Authority", "--Authentication:Oidc:ClientSecret=" + Secret)]
    [InlineData("Authentication:Oidc:ClientSecret:x", "--Authentication:Oidc:ClientSecret:x=" + Secret)]
    [InlineData("Upstream:OpenApiDocument", "--Upstream:OpenApiDocument=/nowhere", "--Routes:r:Path=/v0/r")]
    [InlineData("urls Kestrel:Endpoints:a:Url", "--urls=nonsense", "--Kestrel:Endpoints:a:Url=nonsense")]
    [InlineData("{json}", "{", "--Jobs:SettleTime=00:00:01")]
    [InlineData("{json} Jobs:SettleTime", """{"Teams":{"a":{"Quota":"x","quota":"y"}}}""", "--Jobs:SettleTime=soon")]
    [InlineData("Teams:a:Claims:groups", """{"Teams":{"a":{"Claims":{"groups":"mapping"}}}}""")]
    public async Task A_wrong_configuration_is_reported_like_at_the_start_without_a_secret(
        string keys, params string[] arguments)
    {
        if (arguments[0].StartsWith('{'))
        {
            await File.WriteAllTextAsync(Json, arguments[0], World.Cancellation);
            arguments = arguments[1..];
        }

        var check = await RunAsync(["check", .. arguments]);
        var start = await RunAsync([$"--environment={_environment}", .. arguments]);

        Assert.Equal((1, 1), (check.Exit, start.Exit));
        var reasons = start.Lines.Select(ReasonOf).OfType<string>();
        Assert.Equal(reasons, check.Lines);
        Assert.Equal(keys.Split(' ').Select(key => key.Replace("{json}", Json, StringComparison.Ordinal)).Order(),
            check.Lines.Select(line => line.Split(": ")[0]).Order());
    }

    [Fact]
    public async Task A_right_configuration_is_printed_with_its_warnings_and_sources_and_without_secrets()
    {
        await File.WriteAllTextAsync(Json, $$"""
            {
              "ConnectionStrings": { "Redis": "127.0.0.1:1,password={{Secret}}" },
              "Authentication": {
                "Oidc": { "Authority": "https://provider.example", "ClientId": "g", "ClientSecret": "{{Secret}}" }
              },
              "Kestrel": { "Certificates": { "Other": { "Password": "{{Secret}}" } } },
              "Quotas": { "spare": { "Requests": 5 } }
            }
            """, World.Cancellation);
        await File.WriteAllTextAsync(
            Path.Combine(_secrets.FullName, "Upstream__Accounts__default__NextCredential"), Secret, World.Cancellation);

        var (exit, lines) = await RunAsync(["check", "--Jobs:SettleTime=00:00:07"]);

        Assert.Equal(0, exit);
        Assert.Equal("Warning: Quotas:spare: no team and no key uses this quota",
            Assert.Single(lines, line => line.StartsWith("Warning", StringComparison.Ordinal)));
        Assert.All(
            (string[])[
                "Upstream:Accounts:default:Credential = ***  (environment)",
                $"Upstream:Accounts:default:NextCredential = ***  ({_secrets.FullName})",
                $"ConnectionStrings:Redis = ***  ({Path.GetFileName(Json)})",
                $"Authentication:Oidc:ClientSecret = ***  ({Path.GetFileName(Json)})",
                $"Kestrel:Certificates:Other:Password = ***  ({Path.GetFileName(Json)})",
                $"Quotas:spare:Requests = 5  ({Path.GetFileName(Json)})",
                "Jobs:SettleTime = 00:00:07  (command line)",
                "Jobs:StaleIfError = 00:10:00  (appsettings.json)",
                "Upstream:Accounts:default:CredentialFile =   (appsettings.json)",
            ],
            line => Assert.Contains(line, lines));
    }

    [Fact]
    public async Task The_contract_command_reports_a_wrong_configuration_without_a_stack_trace()
    {
        await File.WriteAllTextAsync(Json, """{"Jobs":{"SettleTime":"soon"}}""", World.Cancellation);
        var (exit, lines) = await RunAsync(["contract"]);
        Assert.Equal(1, exit);
        Assert.StartsWith("Jobs:SettleTime: ", Assert.Single(lines), StringComparison.Ordinal);
    }

    private async Task<(int Exit, string[] Lines)> RunAsync(string[] arguments)
    {
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable, .. arguments], new()
        {
            ["DOTNET_ENVIRONMENT"] = _environment,
            ["GATEWAY_SECRETS"] = _secrets.FullName,
            ["Upstream__Accounts__default__Credential"] = Secret,
        });
        Assert.DoesNotContain(Secret, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        return (exit, output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    // The reason in a log line of a failed start.
    private static string? ReasonOf(string line)
    {
        using var json = JsonDocument.Parse(line);
        const string Beginning = "The gateway cannot start: ";
        var message = json.RootElement.GetProperty("Message").GetString()!;
        return message.StartsWith(Beginning, StringComparison.Ordinal) ? message[Beginning.Length..] : null;
    }
}
