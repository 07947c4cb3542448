using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Serialization;

namespace Gateway.Tests.Infrastructure;

/// <summary>Reads the YAML files of the repository.</summary>
internal static class Yaml
{
    private static readonly IDeserializer Reader =
        new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build();

    /// <summary>Reads a file with one document.</summary>
    /// <param name="path">The path in the repository.</param>
    public static JsonNode Read(string path) =>
        Assert.Single(ReadAll(Path.Combine(Repository.Root, path)));

    /// <summary>Reads all documents of a file.</summary>
    public static JsonNode[] ReadAll(string file)
    {
        var documents = File.ReadAllText(file).Split("\n---\n");
        return [.. documents.Select(text => JsonSerializer.SerializeToNode(Reader.Deserialize<object>(text))!)];
    }
}
