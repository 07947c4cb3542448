namespace Gateway.Tests.Infrastructure;

/// <summary>
/// What consumers of the contract use, from npm, in the versions that are locked; installed when first wanted.
/// </summary>
internal static class NpmTools
{
    private static readonly Lazy<Task<(int Exit, string Output)>> Installed = new(InstallAsync);

    public static string Folder { get; } = Path.Combine(Repository.Root, "tests", "Gateway.Tests", "Contract", "Tools");

    /// <summary>Runs one of them to its end. Skips the test where there is no npm.</summary>
    public static async Task<(int Exit, string Output)> RunAsync(string tool, params string[] arguments)
    {
        await NeedAsync();
        // They are to ask nobody whether there is a newer one.
        return await ChildProcess.RunAsync(PathOf(tool), arguments, new() { ["REDOCLY_TELEMETRY"] = "off", ["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true", ["NO_UPDATE_NOTIFIER"] = "1" });
    }

    /// <summary>Sees to it that they are there.</summary>
    public static async Task NeedAsync()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("npm"), "There is no npm on the PATH, and this is about what others' tools make of the contract.");
        var (exit, output) = await Installed.Value;
        Assert.True(exit == 0, $"npm ci failed:\n{output}");
    }

    public static string PathOf(string tool) => Path.Combine(Folder, "node_modules", ".bin", tool);

    private static async Task<(int Exit, string Output)> InstallAsync()
    {
        var (wanted, there) = (new FileInfo(Path.Combine(Folder, "package-lock.json")), new FileInfo(Path.Combine(Folder, "node_modules", ".package-lock.json")));
        if (there.Exists && there.LastWriteTimeUtc >= wanted.LastWriteTimeUtc) return (0, "");
        return await ChildProcess.RunAsync("npm", ["ci", "--prefix", Folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
    }
}
