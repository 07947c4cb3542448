using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>What linters make of the contract, its examples included: nothing.</summary>
public sealed class LinterTests : IDisposable
{
    // It counts them, warnings included, which do not show in its exit code.
    private const string FirstProblem = "[1] ";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-contract-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/v0.yaml")]
    [InlineData("openapi/3.0/v0.json")]
    [InlineData("openapi/3.0/v0.yaml")]
    public async Task Neither_of_them_finds_an_error_or_a_warning(string path)
    {
        await NpmTools.NeedAsync();
        var file = await SaveAsync(path);

        var (spectral, said) = await SpectralAsync(file);
        Assert.True(spectral == 0 && said.Contains("No results", StringComparison.Ordinal), said);
        var (redocly, told) = await RedoclyAsync(file);
        Assert.True(redocly == 0 && !told.Contains(FirstProblem, StringComparison.Ordinal), told);
    }

    [Fact]
    public async Task Both_would_find_an_example_that_is_not_what_it_should_be()
    {
        await NpmTools.NeedAsync();
        var file = await SaveAsync("openapi/v0.json");
        var document = JsonNode.Parse(await File.ReadAllTextAsync(file, World.Cancellation))!;
        var content = document["paths"]!["/v0/workflows/{workflow_id}/jobs/{job_id}"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!;
        content["examples"]!["finished"]!["value"]!["cost"] = "much";
        await File.WriteAllTextAsync(file, document.ToJsonString(), World.Cancellation);

        Assert.NotEqual(0, (await SpectralAsync(file)).Exit);
        Assert.Contains(FirstProblem, (await RedoclyAsync(file)).Output, StringComparison.Ordinal);
    }

    private async Task<string> SaveAsync(string path)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var file = Path.Combine(_folder.FullName, path.Replace('/', '-'));
        await File.WriteAllBytesAsync(file, await client.GetByteArrayAsync(new Uri(path, UriKind.Relative), World.Cancellation), World.Cancellation);
        return file;
    }

    private static Task<(int Exit, string Output)> SpectralAsync(string file) => NpmTools.RunAsync("spectral", "lint", file,
        "--ruleset", Path.Combine(Repository.Root, "tests", "Gateway.Tests", "Contract", "Tools", "spectral.yaml"), "--fail-severity", "hint", "--verbose");

    private static Task<(int Exit, string Output)> RedoclyAsync(string file) =>
        NpmTools.RunAsync("redocly", "lint", file, "--extends", "recommended", "--max-problems", "20");
}
