using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Admin;

/// <summary>What operators see of the configuration of a real process.</summary>
public sealed class ConfigurationEndpointTests : IDisposable
{
    private readonly DirectoryInfo _secrets = Directory.CreateTempSubdirectory("gateway");

    public void Dispose() => _secrets.Delete(recursive: true);

    [Fact]
    public async Task The_configuration_in_force_and_the_last_refusal_are_shown_without_secrets()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, Purging.Operator);
        var environment = world.Environment();
        environment["GATEWAY_SECRETS"] = _secrets.FullName;
        var credential = Write("Upstream__Accounts__default__NextCredential", "another-secret-0123456789");
        await using var gateway = await GatewayProcess.StartAsync(environment);

        var report = await ReportAsync(gateway);
        var since = report.TimeOf("in_force_since");
        Assert.InRange(since, DateTimeOffset.UtcNow.AddMinutes(-2), DateTimeOffset.UtcNow);
        Assert.Equal(("False", "", "[]"),
            (report.Of("newest_is_refused"), report.Of("last_refusal"), report.Of("need_restart")));
        Assert.Contains($"Upstream:Accounts:default:NextCredential *** {_secrets.FullName}", SettingsOf(report));
        Assert.Contains("Upstream:Accounts:default:Credential *** environment", SettingsOf(report));
        Assert.Contains("Jobs:SettleTime 00:00:30 appsettings.json", SettingsOf(report));
        Assert.Contains("urls " + gateway.Address + " environment", SettingsOf(report));
        Assert.Equal(credential, Assert.Single(SourcesOf(report), source => source.Contains(_secrets.FullName,
            StringComparison.Ordinal)).Split(' ')[1]);
        Assert.DoesNotContain("another-secret", report.GetRawText(), StringComparison.Ordinal);

        Write("Jobs__SettleTime", "02:00:00");
        report = await UntilAsync(gateway, "True");
        Assert.Equal(since, report.TimeOf("in_force_since"));
        Assert.Equal("", report.Of("last_refusal.until"));
        Assert.StartsWith("Jobs:SettleTime: ",
            Assert.Single(report.GetProperty("last_refusal").GetProperty("reasons").EnumerateArray()).GetString(),
            StringComparison.Ordinal);
        Assert.Contains("Jobs:SettleTime 00:00:30 appsettings.json", SettingsOf(report));
        var at = report.TimeOf("last_refusal.at");

        Write("Jobs__SettleTime", "00:00:31");
        Write("Redis__Prefix", "other:");
        report = await UntilAsync(gateway, "False");
        Assert.True(report.TimeOf("in_force_since") > since);
        Assert.Equal(at, report.TimeOf("last_refusal.at"));
        Assert.True(report.TimeOf("last_refusal.until") > at);
        Assert.Contains($"Jobs:SettleTime 00:00:31 {_secrets.FullName}", SettingsOf(report));
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            (await ReportAsync(gateway)).Of("need_restart") == """["Redis:Prefix"]""", "the prefix needs a restart");
    }

    private string Write(string name, string content)
    {
        var path = Path.Combine(_secrets.FullName, name);
        File.WriteAllText(path, content);
        return path;
    }

    private static async Task<JsonElement> UntilAsync(GatewayProcess gateway, string isRefused)
    {
        var report = default(JsonElement);
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), async () =>
            (report = await ReportAsync(gateway)).Of("newest_is_refused") == isRefused, $"refused: {isRefused}");
        return report;
    }

    private static async Task<JsonElement> ReportAsync(GatewayProcess gateway)
    {
        using var client = gateway.Client(Purging.OperatorKey);
        var path = new Uri("admin/configuration", UriKind.Relative);
        return JsonElement.Parse(await client.GetStringAsync(path, World.Cancellation));
    }

    private static string[] SettingsOf(JsonElement report) =>
        [.. report.GetProperty("settings").EnumerateArray()
            .Select(setting => $"{setting.Of("key")} {setting.Of("value")} {setting.Of("source")}")];

    private static string[] SourcesOf(JsonElement report) =>
        [.. report.GetProperty("sources").EnumerateArray()
            .Select(source => $"{source.Of("name")} {string.Join(' ',
                source.GetProperty("files") is { ValueKind: JsonValueKind.Array } files
                    ? files.EnumerateArray().Select(file => file.GetString()) : [])}")];
}
