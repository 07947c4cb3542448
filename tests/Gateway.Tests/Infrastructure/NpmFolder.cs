namespace Gateway.Tests.Infrastructure;

/// <summary>A folder with a <c>package-lock.json</c>, whose packages are installed on first use.</summary>
internal sealed class NpmFolder
{
    private readonly Lazy<Task<(int Exit, string Output)>> _installed;

    /// <param name="path">The folder, relative to the root of the repository.</param>
    public NpmFolder(params string[] path)
    {
        Path = System.IO.Path.Combine([Repository.Root, .. path]);
        _installed = new(InstallAsync);
    }

    public string Path { get; }

    /// <summary>Installs the packages if they are missing. Skips the test if there is no npm.</summary>
    public async Task NeedAsync()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("npm"), "This test needs npm, which is not on the PATH.");
        var (exit, output) = await _installed.Value;
        Assert.True(exit == 0, $"npm ci failed:\n{output}");
    }

    private async Task<(int Exit, string Output)> InstallAsync()
    {
        var (wanted, there) = (new FileInfo(System.IO.Path.Combine(Path, "package-lock.json")),
            new FileInfo(System.IO.Path.Combine(Path, "node_modules", ".package-lock.json")));
        if (there.Exists && there.LastWriteTimeUtc >= wanted.LastWriteTimeUtc) return (0, "");
        return await ChildProcess.RunAsync(
            "npm", ["ci", "--prefix", Path, "--ignore-scripts", "--no-audit", "--no-fund"]);
    }
}
