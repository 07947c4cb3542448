namespace Gateway.Tests.Infrastructure;

/// <summary>The generator of clients of <c>.config/dotnet-tools.json</c>. It is restored on first use.</summary>
internal static class KiotaTool
{
    private static readonly Lazy<Task<(int Exit, string Output)>> Restored = new(
        () => ChildProcess.RunAsync("dotnet", ["tool", "restore"], []));

    /// <summary>Generates a client named GatewayClient. Skips the test if the tool cannot be restored.</summary>
    /// <param name="language">A language of Kiota, such as <c>CSharp</c>.</param>
    /// <param name="contract">The path of the document.</param>
    public static async Task GenerateAsync(string language, string contract, string folder)
    {
        var (restored, why) = await Restored.Value;
        Assert.SkipUnless(restored == 0, $"This test needs Kiota, which 'dotnet tool restore' did not bring:\n{why}");
        var (exit, output) = await ChildProcess.RunAsync(
            "dotnet", ["tool", "run", "kiota", "--", "generate", "--language", language, "--openapi", contract,
                "--output", folder, "--class-name", "GatewayClient", "--namespace-name", "Generated",
                "--log-level", "Warning"],
            new()
            {
                ["KIOTA_CLI_TELEMETRY_OPTOUT"] = "true",
                ["KIOTA_TUTORIAL_ENABLED"] = "false",
                // Without this, Kiota looks for a newer version of itself.
                ["KIOTA_OFFLINE_ENABLED"] = "true",
            });
        Assert.True(exit == 0, output);
        // The gateway's address in the document is relative, so that the client must be told the base URL.
        Assert.All(output.Split('\n').Where(line => line.Contains("OpenAPI warning", StringComparison.Ordinal)),
            line => Assert.Contains("servers entry", line, StringComparison.Ordinal));
    }
}
