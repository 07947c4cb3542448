using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Viewer;

/// <summary>Runs the tests of the viewer's modules, which need no browser. They are scripts for node.</summary>
public sealed class ModuleTests
{
    private static readonly string Folder =
        Path.Combine(Repository.Root, "tests", "Gateway.Tests", "Viewer", "Modules");

    public static TheoryData<string> Scripts =>
        [.. Directory.GetFiles(Folder, "*.test.mjs").Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task The_modules_pass_their_tests(string script)
    {
        Assert.SkipUnless(RedisServer.IsOnPath("node"), "This test needs node, which is not on the PATH.");
        var (exit, output) = await ChildProcess.RunAsync("node", ["--test", Path.Combine(Folder, script)]);
        Assert.True(exit == 0, output);
    }
}
