using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>Tests the C# client that Kiota generates from the published contract of a running gateway.</summary>
public sealed class KiotaCSharpClientTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-client-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/3.0/v0.yaml")]
    public async Task The_CSharp_client_compiles_without_warnings_and_handles_each_kind_of_answer(string contract)
    {
        await using var world = await ClientScenario.StartAsync();
        var document = await world.SaveContractAsync(_folder.FullName, contract);
        await KiotaTool.GenerateAsync("CSharp", document, _folder.FullName);
        var sources = _folder.GetFiles("*.cs", SearchOption.AllDirectories).Select(file => file.FullName)
            .Append(Path.Combine(NpmTools.Folder, "Kiota.cs.txt")).Select(File.ReadAllText);
        var ask = CSharpCompiler.Compile(sources).GetType("Consumer")!.GetMethod("AskAsync")!;

        var (said, etag) = (new List<string>(), "");
        foreach (var job in ClientScenario.Jobs)
        {
            string[] ids = job.Split('/');
            (var one, etag) = await (Task<(string, string)>)ask.Invoke(null,
                [$"{world.Gateway.Address}".TrimEnd('/'), World.SurveyKey, ids[0], ids[1],
                said.Count == 1 ? etag : ""])!;
            said.Add(one);
        }

        Assert.Equal(ClientScenario.Said, string.Join('\n', said), ignoreCase: true);
    }
}
