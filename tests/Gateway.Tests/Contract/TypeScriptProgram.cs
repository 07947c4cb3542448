using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>
/// A folder with a program in TypeScript, which is compiled and run. Disposing of it deletes the folder.
/// </summary>
internal sealed class TypeScriptProgram : IDisposable
{
    // The folder is below the tools' folder, so that Node.js finds the packages.
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(
        Path.Combine(NpmTools.Folder, "generated", $"{Guid.NewGuid():N}"));

    public string Folder => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>Compiles a program of the tools' folder together with the generated files.</summary>
    public async Task CompileAsync(string program, string settings = "tsconfig.json")
    {
        File.Copy(Path.Combine(NpmTools.Folder, program), Path.Combine(Folder, program));
        File.Copy(Path.Combine(NpmTools.Folder, settings), Path.Combine(Folder, "tsconfig.json"));
        await File.WriteAllTextAsync(Path.Combine(Folder, "package.json"), """{"type":"module"}""", World.Cancellation);
        await RunToolAsync("tsc", "--project", Folder);
    }

    /// <summary>Runs the compiled program and returns its output.</summary>
    public async Task<string> RunAsync(string program, World world, string key, params string[] arguments)
    {
        var (exit, said) = await ChildProcess.RunAsync("node",
            [Path.Combine(Folder, Path.ChangeExtension(program, ".js")), $"{world.Gateway.Address}".TrimEnd('/'), key,
                .. arguments]);
        Assert.True(exit == 0, said);
        return said.Trim();
    }

    public static async Task RunToolAsync(string tool, params string[] arguments)
    {
        var (exit, output) = await NpmTools.RunAsync(tool, arguments);
        Assert.True(exit == 0, $"{tool}:\n{output}");
    }
}
