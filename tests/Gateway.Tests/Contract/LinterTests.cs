using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>Tests that linters find no problem in the contract, including its examples.</summary>
public sealed class LinterTests : IDisposable
{
    // Redocly numbers all problems. Warnings do not affect its exit code.
    private const string FirstProblem = "[1] ";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-contract-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/3.0/v0.json")]
    public async Task The_linters_find_no_problem_in_the_contract(string path)
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync();
        await AssertNoProblemAsync(await SaveAsync(world, path));
    }

    [Theory]
    [InlineData("3.0.3", "openapi/v0.json")]
    [InlineData("3.1.0", "openapi/3.0/v0.json")]
    [InlineData(null, "openapi/v0.json")]
    public async Task The_linters_find_no_problem_in_republished_routes(string? source, string path)
    {
        await NpmTools.NeedAsync();
        using var upstream = new RepublishedWorld();
        await using var world = source is null
            ? await World.StartAsync(("Routes:scenes:Path", "/v0/scenes/{scene}"), ("Routes:scenes:Query:0", "page"))
            : await upstream.StartAsync(source);
        await AssertNoProblemAsync(await SaveAsync(world, path), hasUnusedSchemas: source is not null);
    }

    private static async Task AssertNoProblemAsync(string file, bool hasUnusedSchemas = false)
    {
        var (spectral, said) = await SpectralAsync(file);
        // Spectral reports schemas as unused if only a discriminator refers to them.
        if (hasUnusedSchemas)
        {
            Assert.True(said.Contains("2 problems (0 errors, 2 warnings", StringComparison.Ordinal)
                && said.Split("oas3-unused-component").Length == 3, said);
        }
        else Assert.True(spectral == 0 && said.Contains("No results", StringComparison.Ordinal), said);
        var (redocly, told) = await RedoclyAsync(file);
        Assert.True(redocly == 0 && !told.Contains(FirstProblem, StringComparison.Ordinal), told);
    }

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/3.0/v0.json")]
    public async Task A_validator_that_knows_only_older_patch_versions_accepts_the_contract(string path)
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync();

        var (exit, said) = await ChildProcess.RunAsync(
            "node", [Path.Combine(NpmTools.Folder, "validate.mjs"), await SaveAsync(world, path)]);

        Assert.True(exit == 0, said);
        Assert.Contains("is valid", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Both_linters_report_an_example_that_violates_its_schema()
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync();
        var file = await SaveAsync(world, "openapi/v0.json");
        var document = JsonNode.Parse(await File.ReadAllTextAsync(file, World.Cancellation))!;
        var content = document["paths"]!["/v0/workflows/{workflow_id}/jobs/{job_id}"]!["get"]!["responses"]!["200"]![
            "content"]!["application/json"]!;
        content["examples"]!["finished"]!["value"]!["cost"] = "much";
        await File.WriteAllTextAsync(file, document.ToJsonString(), World.Cancellation);

        Assert.NotEqual(0, (await SpectralAsync(file)).Exit);
        Assert.Contains(FirstProblem, (await RedoclyAsync(file)).Output, StringComparison.Ordinal);
    }

    private async Task<string> SaveAsync(World world, string path)
    {
        using var client = world.Gateway.Client();
        var file = Path.Combine(_folder.FullName, path.Replace('/', '-'));
        await File.WriteAllBytesAsync(file,
            await client.GetByteArrayAsync(new Uri(path, UriKind.Relative), World.Cancellation), World.Cancellation);
        return file;
    }

    private static Task<(int Exit, string Output)> SpectralAsync(string file) =>
        NpmTools.RunAsync("spectral", "lint", file,
        "--ruleset", Path.Combine(Repository.Root, "tests", "Gateway.Tests", "Contract", "Tools", "spectral.yaml"),
        "--fail-severity", "hint", "--verbose");

    private static Task<(int Exit, string Output)> RedoclyAsync(string file) =>
        NpmTools.RunAsync("redocly", "lint", file, "--extends", "recommended", "--max-problems", "20");
}
