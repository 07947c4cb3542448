using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>Tests TypeScript clients that are generated from the published contract of a running gateway.</summary>
public sealed class TypeScriptClientTests : IDisposable
{
    private readonly TypeScriptProgram _program = new();

    public void Dispose() => _program.Dispose();

    [Fact]
    public async Task The_generated_types_compile_under_strict_settings_and_cover_jobs_and_problems()
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync(("Teams:survey:Quota", "few"), ("Quotas:few:Requests", "1"),
            ("Quotas:few:Window", "01:00:00"), ("Quotas:few:Burst", "4"));
        await GenerateTypesAsync(world, "openapi/v0.yaml");
        await _program.CompileAsync("consumer.ts");

        Assert.Equal("""
            survey-1/finished-1: 200 completed tasks=true spec=object retryAfter=false
            survey-1/run-300: 200 queued tasks=true spec=object retryAfter=true
            survey-1/forbidden: 403 /problems/upstream-forbidden  retryAfter=false
            other/finished-1: 403 /problems/workflow-forbidden  retryAfter=false
            survey-1/missing: 404 /problems/job-not-found  retryAfter=false
            survey-1/finished-2: 429 https://iana.org/assignments/http-problem-types#quota-exceeded few retryAfter=true
            """, await _program.RunAsync("consumer.ts", world, World.SurveyKey,
            "survey-1/finished-1", "survey-1/run-300", "survey-1/forbidden", "other/finished-1", "survey-1/missing",
            "survey-1/finished-2"));
    }

    [Fact]
    public async Task Republished_routes_are_typed_in_the_client()
    {
        await NpmTools.NeedAsync();
        using var upstream = new RepublishedWorld();
        await using var world = await upstream.StartAsync("3.0.3");
        await GenerateTypesAsync(world, "openapi/3.0/v0.json");
        await _program.CompileAsync("routes.ts");

        Assert.Equal("""
            workflow w-1 note=null depth=3
            scenes Optical,Radar
            jobs /problems/upstream-not-found E7
            """, await _program.RunAsync("routes.ts", world, World.MappingKey));
    }

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/3.0/v0.json")]
    public async Task The_client_of_Hey_API_compiles_and_handles_each_kind_of_answer(string contract)
    {
        await NpmTools.NeedAsync();
        await using var world = await ClientScenario.StartAsync();
        await TypeScriptProgram.RunToolAsync("openapi-ts", "--input", $"{world.Gateway.Address}{contract}",
            "--output", Path.Combine(_program.Folder, "client"), "--no-log-file");
        await _program.CompileAsync("hey.ts", "tsconfig.generated.json");

        Assert.Equal(ClientScenario.Said,
            await _program.RunAsync("hey.ts", world, World.SurveyKey, ClientScenario.Jobs));
    }

    [Fact]
    public async Task The_client_of_Kiota_compiles_and_handles_each_kind_of_answer()
    {
        await NpmTools.NeedAsync();
        await using var world = await ClientScenario.StartAsync();
        await KiotaTool.GenerateAsync("TypeScript", await world.SaveContractAsync(_program.Folder, "openapi/v0.json"),
            Path.Combine(_program.Folder, "client"));
        await _program.CompileAsync("kiota.ts", "tsconfig.generated.json");

        Assert.Equal(ClientScenario.Said,
            await _program.RunAsync("kiota.ts", world, World.SurveyKey, ClientScenario.Jobs));
    }

    private Task GenerateTypesAsync(World world, string contract) => TypeScriptProgram.RunToolAsync(
        "openapi-typescript", $"{world.Gateway.Address}{contract}", "--output",
        Path.Combine(_program.Folder, "schema.d.ts"));
}
