using Gateway.Tests.Infrastructure;
using NJsonSchema.CodeGeneration.CSharp;
using NSwag;
using NSwag.CodeGeneration.CSharp;

namespace Gateway.Tests.Contract;

/// <summary>Tests a C# client that NSwag generates from the published contract of a running gateway.</summary>
public sealed class CSharpClientTests
{
    [Fact]
    public async Task The_generated_client_compiles_without_warnings_and_returns_typed_jobs_and_problems()
    {
        await using var world = await World.StartAsync(("Teams:survey:Quota", "few"), ("Quotas:few:Requests", "1"),
            ("Quotas:few:Window", "01:00:00"), ("Quotas:few:Burst", "4"));
        using var http = world.Gateway.Client(("X-Api-Key", World.SurveyKey));
        var document =
            await OpenApiDocument.FromJsonAsync(
                await http.GetStringAsync(new Uri("openapi/3.0/v0.json", UriKind.Relative), World.Cancellation),
                World.Cancellation);
        var consumer = await File.ReadAllTextAsync(
            Path.Combine(NpmTools.Folder, "Consumer.cs.txt"), World.Cancellation);
        var ask = CSharpCompiler.Compile(Generate(document), consumer).GetType("Consumer")!.GetMethod("AskAsync")!;

        var said = new List<string>();
        foreach (var job in (string[])["survey-1/finished-1", "survey-1/run-300", "survey-1/forbidden",
            "other/finished-1", "survey-1/missing", "survey-1/finished-2"])
        {
            said.Add(await (Task<string>)ask.Invoke(null, [http, .. job.Split('/')])!);
        }

        Assert.Equal(
        [
            "survey-1/finished-1: 200 completed tasks=True estimate=True",
            "survey-1/run-300: 200 queued tasks=True estimate=True",
            "survey-1/forbidden: 403 /problems/upstream-forbidden ",
            "other/finished-1: 403 /problems/workflow-forbidden ",
            "survey-1/missing: 404 /problems/job-not-found ",
            "survey-1/finished-2: 429 https://iana.org/assignments/http-problem-types#quota-exceeded few",
        ], said);
    }

    [Fact]
    public async Task Republished_routes_are_typed_in_the_client()
    {
        using var upstream = new RepublishedWorld();
        await using var world = await upstream.StartAsync("3.1.0");
        using var http = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        var document =
            await OpenApiDocument.FromJsonAsync(
                await http.GetStringAsync(new Uri("openapi/3.0/v0.json", UriKind.Relative), World.Cancellation),
                World.Cancellation);
        var consumer = await File.ReadAllTextAsync(Path.Combine(NpmTools.Folder, "Routes.cs.txt"), World.Cancellation);
        var ask = CSharpCompiler.Compile(Generate(document), consumer).GetType("Consumer")!.GetMethod("AskAsync")!;

        Assert.Equal("workflow w-1 note= depth=3; scenes s-1,s-2; jobs /problems/upstream-not-found E7",
            await (Task<string>)ask.Invoke(null, [http])!);
    }

    private static string Generate(OpenApiDocument document) =>
        new CSharpClientGenerator(document, new CSharpClientGeneratorSettings
        {
            ClassName = "GatewayClient",
            UseBaseUrl = false,
            GenerateOptionalParameters = true,
            CSharpGeneratorSettings =
        {
            Namespace = "Generated",
            JsonLibrary = CSharpJsonLibrary.SystemTextJson,
            GenerateNullableReferenceTypes = true,
            GenerateOptionalPropertiesAsNullable = true,
        },
        }).GenerateFile();
}
