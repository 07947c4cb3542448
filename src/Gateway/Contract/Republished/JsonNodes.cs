using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gateway.Contract.Republished;

internal static class JsonNodes
{
    /// <summary>A property that is a string; null: there is none.</summary>
    public static string? Text(this JsonObject node, string name) =>
        node[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    /// <summary>Copies properties that are there.</summary>
    public static JsonObject Take(this JsonObject to, JsonObject from, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (from[name] is { } value) to[name] = value.DeepClone();
        }
        return to;
    }
}
