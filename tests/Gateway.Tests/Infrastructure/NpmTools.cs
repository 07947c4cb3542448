namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Tools from npm that consumers of the contract use, in locked versions. They are installed on first use.
/// </summary>
internal static class NpmTools
{
    private static readonly Lazy<Task<(int Exit, string Output)>> Installed = new(InstallAsync);

    public static string Folder { get; } = Path.Combine(Repository.Root, "tests", "Gateway.Tests", "Contract", "Tools");

    /// <summary>Runs a tool to its end. Skips the test if there is no npm.</summary>
    public static async Task<(int Exit, string Output)> RunAsync(string tool, params string[] arguments)
    {
        await NeedAsync();
        // The variables disable telemetry and the checks for newer versions.
        return await ChildProcess.RunAsync(
            PathOf(tool), arguments, new()
            {
                ["REDOCLY_TELEMETRY"] = "off",
                ["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true",
                ["NO_UPDATE_NOTIFIER"] = "1"
            });
    }

    /// <summary>Installs the tools if they are missing.</summary>
    public static async Task NeedAsync()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("npm"), "This test needs npm, which is not on the PATH.");
        var (exit, output) = await Installed.Value;
        Assert.True(exit == 0, $"npm ci failed:\n{output}");
    }

    public static string PathOf(string tool) => Path.Combine(Folder, "node_modules", ".bin", tool);

    private static async Task<(int Exit, string Output)> InstallAsync()
    {
        var (wanted, there) = (new FileInfo(Path.Combine(Folder, "package-lock.json")),
            new FileInfo(Path.Combine(Folder, "node_modules", ".package-lock.json")));
        if (there.Exists && there.LastWriteTimeUtc >= wanted.LastWriteTimeUtc) return (0, "");
        return await ChildProcess.RunAsync(
            "npm", ["ci", "--prefix", Folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
    }
}
