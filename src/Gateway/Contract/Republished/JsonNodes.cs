using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gateway.Contract.Republished;

internal static class JsonNodes
{
    /// <summary>A property that is a string; null: there is none.</summary>
    public static string? Text(this JsonObject node, string name) =>
        node[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    /// <summary>Whether data looks like a reference, for which others' tools then take it.</summary>
    public static bool LooksLikeReference(this JsonNode? data) => data switch
    {
        JsonObject holder => holder.ContainsKey("$ref") || holder.Any(item => item.Value.LooksLikeReference()),
        JsonArray list => list.Any(item => item.LooksLikeReference()),
        _ => false,
    };

    /// <summary>Copies properties that are there, but no data that looks like a reference.</summary>
    public static JsonObject Take(this JsonObject to, JsonObject from, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (from[name] is { } value && !value.LooksLikeReference()) to[name] = value.DeepClone();
        }
        return to;
    }
}
