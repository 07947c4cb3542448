using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Configuration;

/// <summary>A gateway process whose configuration files are lost, broken or replaced while it runs.</summary>
public sealed class ReloadTests : IDisposable
{
    private const string OldKey = "old-key-0123456789", NewKey = "new-key-0123456789";

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly string _environment = $"test-{Guid.NewGuid():N}";
    private readonly string _folder = Directory.CreateTempSubdirectory("gateway").FullName;
    private readonly int _port = ChildProcess.FreePort();

    // A configuration file for this gateway only, which it finds by the name of its environment.
    private string Json => Path.Combine(AppContext.BaseDirectory, $"appsettings.{_environment}.json");

    private string Secrets => Path.Combine(_folder, "secrets");

    public void Dispose()
    {
        File.Delete(Json);
        if (Directory.Exists(Json)) Directory.Delete(Json);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("""{ "Teams": { "moving": { "Order": 0, "order": 1 } } }""")]
    [InlineData("""{ "Teams": { "moving": { """)]
    [InlineData("")]
    [InlineData("""{ "Teams": { "moving": { "Quota": "none" } } }""")]
    [InlineData(null)]
    [InlineData("a directory")]
    public async Task A_file_that_is_wrong_or_lost_changes_nothing_until_it_is_right_again(string? content)
    {
        await File.WriteAllTextAsync(Json, TeamWith(OldKey), World.Cancellation);
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        await using var gateway = await GatewayProcess.StartAsync(EnvironmentOf(world));
        await UntilAsync(gateway, OldKey, HttpStatusCode.OK);

        File.Delete(Json);
        if (content == "a directory") Directory.CreateDirectory(Json);
        else if (content is not null) await File.WriteAllTextAsync(Json, content, World.Cancellation);
        await UntilHealthAsync("Degraded");

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, OldKey));
        Assert.Equal(1, await Shipped.MetricAsync(_port, "gateway_configuration_refused"));
        await gateway.UntilPrintedAsync("New configuration refused, the previous one stays in force: ");
        await gateway.UntilPrintedAsync(
            content?.Contains("none", StringComparison.Ordinal) == true ? "Teams:moving:Quota"
            : Path.GetFileName(Json));

        if (Directory.Exists(Json)) Directory.Delete(Json);
        await File.WriteAllTextAsync(Json, TeamWith(NewKey), World.Cancellation);
        await UntilAsync(gateway, OldKey, HttpStatusCode.Unauthorized);

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, NewKey));
        await UntilHealthAsync("Healthy");
        Assert.Equal(0, await Shipped.MetricAsync(_port, "gateway_configuration_refused"));
        var age = DateTimeOffset.UtcNow.ToUnixTimeSeconds()
            - await Shipped.MetricAsync(_port, "gateway_configuration_applied_seconds");
        Assert.InRange(age, -1, Bound.TotalSeconds);
    }

    [Fact]
    public async Task A_file_system_that_does_not_answer_is_reported_until_it_answers()
    {
        await File.WriteAllTextAsync(Json, TeamWith(OldKey), World.Cancellation);
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        await using var gateway = await GatewayProcess.StartAsync(EnvironmentOf(world));
        await UntilAsync(gateway, OldKey, HttpStatusCode.OK);

        // Who opens a pipe waits until somebody else writes to it.
        File.Delete(Json);
        Assert.Equal(0, (await ChildProcess.RunAsync("mkfifo", [Json])).Exit);
        await UntilHealthAsync("Degraded");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, OldKey));
        await gateway.UntilPrintedAsync("the file system does not answer");

        var pipe = Json + ".pipe";
        File.Move(Json, pipe);
        await File.WriteAllTextAsync(Json, TeamWith(NewKey), World.Cancellation);
        await File.WriteAllTextAsync(pipe, TeamWith(NewKey), World.Cancellation);
        File.Delete(pipe);

        await UntilAsync(gateway, OldKey, HttpStatusCode.Unauthorized);
        await UntilHealthAsync("Healthy");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_volume_that_Kubernetes_replaces_is_read_with_and_without_file_events(bool hasFileEvents)
    {
        await MountAsync("v1", OldKey);
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        await using var gateway = hasFileEvents ? await GatewayProcess.StartAsync(EnvironmentOf(world))
            : await GatewayProcess.StartWithoutFileEventsAsync(EnvironmentOf(world));
        await UntilAsync(gateway, OldKey, HttpStatusCode.OK);

        await MountAsync("v2", NewKey);

        await UntilAsync(gateway, OldKey, HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, NewKey));
        await UntilHealthAsync("Healthy");
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("empty")]
    [InlineData("duplicate")]
    [InlineData("directory")]
    [InlineData("dangling")]
    public async Task A_volume_that_is_lost_or_wrong_changes_nothing_until_it_is_right_again(string fault)
    {
        await MountAsync("v1", OldKey);
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        await using var gateway = await GatewayProcess.StartAsync(EnvironmentOf(world));
        await UntilAsync(gateway, OldKey, HttpStatusCode.OK);

        Break(fault);
        await UntilHealthAsync("Degraded");

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, OldKey));
        await gateway.UntilPrintedAsync("New configuration refused, the previous one stays in force: " + Secrets);

        if (Directory.Exists(Secrets)) Directory.Delete(Secrets, recursive: true);
        await MountAsync("v2", NewKey);
        await UntilAsync(gateway, OldKey, HttpStatusCode.Unauthorized);

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(gateway, NewKey));
        await UntilHealthAsync("Healthy");
    }

    [Fact]
    public async Task A_gateway_uses_no_file_events_for_configuration_and_certificates()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux lists the open files of a process.");
        await MountAsync("v1", OldKey);
        using var https = new Certificate();
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        await using var gateway = await GatewayProcess.StartAsync(EnvironmentOf(world), https);

        var open = Directory.GetFiles($"/proc/{gateway.Id}/fd").Select(file => new FileInfo(file).LinkTarget);

        Assert.DoesNotContain(open, target => target?.Contains("inotify", StringComparison.Ordinal) == true);
    }

    // A volume of Kubernetes: links to files in a directory that one link names.
    private async Task MountAsync(string version, string key)
    {
        var content = Directory.CreateDirectory(Path.Combine(Secrets, $"..{version}")).FullName;
        foreach (var (name, value) in new Dictionary<string, string>
        {
            ["Teams__moving__Quota"] = "plenty",
            ["Teams__moving__Workflows__0"] = "*",
            ["Teams__moving__ApiKeys__0__Id"] = "moving",
            ["Teams__moving__ApiKeys__0__Sha256"] = World.Sha256(key),
        })
        {
            File.WriteAllText(Path.Combine(content, name), value + "\n");
            var link = Path.Combine(Secrets, name);
            if (!Path.Exists(link)) File.CreateSymbolicLink(link, $"..data/{name}");
        }
        var next = Path.Combine(Secrets, "..data_tmp");
        Directory.CreateSymbolicLink(next, $"..{version}");
        // The framework moves no link to a directory.
        await ChildProcess.RunAsync("mv", ["-T", next, Path.Combine(Secrets, "..data")]);
    }

    private void Break(string fault)
    {
        var file = Path.Combine(Secrets, "Teams__moving__ApiKeys__0__Sha256");
        switch (fault)
        {
            case "gone":
                Directory.Delete(Secrets, recursive: true);
                break;
            case "empty":
                Directory.Delete(Secrets, recursive: true);
                Directory.CreateDirectory(Secrets);
                break;
            case "duplicate":
                File.WriteAllText(Path.Combine(Secrets, "teams__moving__quota"), "plenty");
                break;
            case "directory":
                File.Delete(file);
                Directory.CreateDirectory(file);
                break;
            case "dangling":
                Directory.Delete(Path.Combine(Secrets, "..v1"), recursive: true);
                break;
        }
    }

    private Dictionary<string, string?> EnvironmentOf(World world)
    {
        var environment = world.Environment();
        environment["ASPNETCORE_ENVIRONMENT"] = _environment;
        environment["GATEWAY_SECRETS"] = Secrets;
        environment["Management__Port"] = $"{_port}";
        return environment;
    }

    private static string TeamWith(string key) => $$"""
        {
          "Teams": {
            "moving": {
              "Quota": "plenty", "Workflows": [ "*" ],
              "ApiKeys": [ { "Id": "moving", "Sha256": "{{World.Sha256(key)}}" } ]
            }
          }
        }
        """;

    private static Task UntilAsync(GatewayProcess gateway, string key, HttpStatusCode status) => Wait.UntilAsync(
        Bound, async () => await StatusAsync(gateway, key) == status, $"the key is answered with {status}");

    private static async Task<HttpStatusCode> StatusAsync(GatewayProcess gateway, string key)
    {
        using var client = gateway.Client(key);
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/w/jobs/finished-1", UriKind.Relative), World.Cancellation);
        return answer.StatusCode;
    }

    private async Task UntilHealthAsync(string health)
    {
        using var client = new HttpClient();
        await Wait.UntilAsync(Bound, async () => (await client.GetStringAsync(
            new Uri($"http://127.0.0.1:{_port}/health/ready"), World.Cancellation)).StartsWith(
                health, StringComparison.Ordinal), $"the health is {health}");
    }
}
