using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>Tests a TypeScript client with types generated from the published contract of a running gateway.</summary>
public sealed class TypeScriptClientTests : IDisposable
{
    // The folder is below the tools' folder, so that Node.js finds the packages.
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(
        Path.Combine(NpmTools.Folder, "generated", $"{Guid.NewGuid():N}"));

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_generated_types_compile_under_strict_settings_and_cover_jobs_and_problems()
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync(("Teams:survey:Quota", "few"), ("Quotas:few:Requests", "1"),
            ("Quotas:few:Window", "01:00:00"), ("Quotas:few:Burst", "4"));
        await CompileAsync(world, "openapi/v0.yaml", "consumer.ts");

        var (exit, said) = await ChildProcess.RunAsync("node",
            [Path.Combine(_folder.FullName, "consumer.js"), world.Gateway.Address.ToString().TrimEnd('/'),
            World.SurveyKey,
            "survey-1/finished-1", "survey-1/run-300", "survey-1/forbidden", "other/finished-1", "survey-1/missing",
            "survey-1/finished-2"]);

        Assert.True(exit == 0, said);
        Assert.Equal("""
            survey-1/finished-1: 200 completed tasks=true spec=object retryAfter=false
            survey-1/run-300: 200 queued tasks=true spec=object retryAfter=true
            survey-1/forbidden: 403 /problems/upstream-forbidden  retryAfter=false
            other/finished-1: 403 /problems/workflow-forbidden  retryAfter=false
            survey-1/missing: 404 /problems/job-not-found  retryAfter=false
            survey-1/finished-2: 429 https://iana.org/assignments/http-problem-types#quota-exceeded few retryAfter=true
            """, said.Trim());
    }

    [Fact]
    public async Task Republished_routes_are_typed_in_the_client()
    {
        await NpmTools.NeedAsync();
        using var upstream = new RepublishedWorld();
        await using var world = await upstream.StartAsync("3.0.3");
        await CompileAsync(world, "openapi/3.0/v0.json", "routes.ts");

        var (exit, said) = await ChildProcess.RunAsync("node",
            [Path.Combine(_folder.FullName, "routes.js"), world.Gateway.Address.ToString().TrimEnd('/'),
            World.MappingKey]);

        Assert.True(exit == 0, said);
        Assert.Equal("""
            workflow w-1 note=null depth=3
            scenes Optical,Radar
            jobs /problems/upstream-not-found E7
            """, said.Trim());
    }

    private async Task CompileAsync(World world, string contract, string consumer)
    {
        var schema = Path.Combine(_folder.FullName, "schema.d.ts");
        await RunAsync("openapi-typescript", $"{world.Gateway.Address}{contract}", "--output", schema);
        foreach (var file in (string[])[consumer, "tsconfig.json"])
        {
            File.Copy(Path.Combine(NpmTools.Folder, file), Path.Combine(_folder.FullName, file));
        }
        await File.WriteAllTextAsync(
            Path.Combine(_folder.FullName, "package.json"), """{"type":"module"}""", World.Cancellation);
        await RunAsync("tsc", "--project", _folder.FullName);
    }

    private static async Task RunAsync(string tool, params string[] arguments)
    {
        var (exit, output) = await NpmTools.RunAsync(tool, arguments);
        Assert.True(exit == 0, $"{tool}:\n{output}");
    }
}
