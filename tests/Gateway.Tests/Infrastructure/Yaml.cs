using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Serialization;

namespace Gateway.Tests.Infrastructure;

/// <summary>Reads the YAML files of the repository.</summary>
internal static class Yaml
{
    private static readonly IDeserializer Reader =
        new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build();

    private static readonly ISerializer Writer = new SerializerBuilder().WithQuotingNecessaryStrings().Build();

    /// <summary>Reads a file with one document.</summary>
    /// <param name="path">The path in the repository.</param>
    public static JsonNode Read(string path) =>
        Assert.Single(ReadAll(Path.Combine(Repository.Root, path)));

    /// <summary>Writes data as a YAML text.</summary>
    public static string Write(JsonNode data) => Writer.Serialize(Plain(data)!);

    /// <summary>Reads all documents of a file.</summary>
    public static JsonNode[] ReadAll(string file)
    {
        var documents = File.ReadAllText(file).Split("\n---\n");
        return [.. documents.Select(text => JsonSerializer.SerializeToNode(Reader.Deserialize<object>(text))!)];
    }

    private static object? Plain(JsonNode? data) => data?.GetValueKind() switch
    {
        JsonValueKind.Object => data.AsObject().ToDictionary(item => item.Key, item => Plain(item.Value)),
        JsonValueKind.Array => data.AsArray().Select(Plain).ToArray(),
        JsonValueKind.Number => data.GetValue<decimal>(),
        JsonValueKind.True or JsonValueKind.False => data.GetValue<bool>(),
        JsonValueKind.String => data.GetValue<string>(),
        _ => null,
    };
}
