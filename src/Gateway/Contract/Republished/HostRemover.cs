using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gateway.Contract.Republished;

/// <summary>
/// Takes the upstream's host out of what people read, and out of examples: where it is concerns no consumer.
/// </summary>
/// <param name="authority">Of its address.</param>
internal sealed class HostRemover(string authority)
{
    private static readonly string[] Prose = ["description", "summary", "title"],
        Examples = ["example", "examples", "default"];

    // A host of one word is a word like any other, but for where an address begins with it.
    private readonly Regex _host = new(
        $"https?://{Regex.Escape(authority)}(?![A-Za-z0-9.-])" + (authority.AsSpan().ContainsAny('.', ':')
            ? $"|(?<![A-Za-z0-9.-]){Regex.Escape(authority)}(?![A-Za-z0-9.-])" : ""),
        RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1));

    public JsonNode? Remove(JsonNode? node, bool isExample = false) => node switch
    {
        JsonObject holder => new JsonObject(holder.Select(item => KeyValuePair.Create(item.Key,
            Prose.Contains(item.Key) && item.Value is JsonValue
                ? Remove(item.Value, isExample: true) : Remove(item.Value, isExample || Examples.Contains(item.Key))))),
        JsonArray list => new JsonArray([.. list.Select(item => Remove(item, isExample))]),
        JsonValue value when isExample && value.TryGetValue<string>(out var text) => _host.Replace(text, ""),
        _ => node?.DeepClone(),
    };
}
