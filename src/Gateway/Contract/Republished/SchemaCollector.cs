using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gateway.Contract.Republished;

/// <summary>
/// Copies schemas out of the upstream's document, with each one that they reach and no other, under names of which none is
/// taken.
/// </summary>
/// <param name="taken">Names of the gateway's own schemas.</param>
internal sealed partial class SchemaCollector(UpstreamDocument document, IEnumerable<string> taken)
{
    private const string Components = "#/components/schemas/";

    private static readonly string[] OneSchema =
        ["items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "contentSchema"];

    private static readonly string[] ListOfSchemas = ["allOf", "anyOf", "oneOf", "prefixItems"], MapOfSchemas = ["properties", "patternProperties", "dependentSchemas", "$defs"];

    // They would give a reference another meaning.
    private static readonly string[] Refused = ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"];

    // Names that differ in case alone are one to many a generator.
    private readonly HashSet<string> _taken = new(taken, StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _nameOf = new(StringComparer.Ordinal);

    /// <summary>What was reached so far, by its new name.</summary>
    public SortedDictionary<string, JsonNode> Collected { get; } = new(StringComparer.Ordinal);

    /// <param name="at">Where it stands, as a JSON pointer.</param>
    /// <exception cref="RepublishingException">A reference within it leads nowhere.</exception>
    public JsonNode Copy(JsonNode schema, string at)
    {
        // true and false are schemas, too.
        if (schema is not JsonObject from) return schema.DeepClone();
        var to = new JsonObject();
        foreach (var (key, value) in from)
        {
            if (key.StartsWith("x-", StringComparison.Ordinal) || key is "externalDocs" or "$schema" or "$comment" || value is null) continue;
            if (Refused.Contains(key)) throw new RepublishingException($"{at}/{key}: such references cannot be followed; use $ref");
            to[key] = key switch
            {
                "$ref" when value is JsonValue => Components + NameOf(from.Text(key) ?? "", at),
                "discriminator" when value is JsonObject discriminator => Discriminator(from, discriminator, at),
                _ when OneSchema.Contains(key) => Copy(value, $"{at}/{key}"),
                _ when ListOfSchemas.Contains(key) && value is JsonArray list => new JsonArray([.. list.Select((item, i) => item is null ? null : Copy(item, $"{at}/{key}/{i}"))]),
                _ when MapOfSchemas.Contains(key) && value is JsonObject map => new JsonObject(map.Where(item => item.Value is not null)
                    .Select(item => KeyValuePair.Create<string, JsonNode?>(item.Key, Copy(item.Value!, $"{at}/{key}/{UpstreamDocument.Escape(item.Key)}")))),
                // Data.
                _ when value.LooksLikeReference() => null,
                _ => value.DeepClone(),
            };
            if (to[key] is null) to.Remove(key);
        }
        return to;
    }

    private string NameOf(string reference, string at)
    {
        if (_nameOf.TryGetValue(reference, out var known)) return known;
        var target = document.Find(reference, at);
        var name = Free(reference);
        // Before it is looked into, for it may lead back here.
        _nameOf[reference] = name;
        Collected[name] = Copy(target, reference);
        return name;
    }

    private string Free(string reference)
    {
        var wanted = NoName().Replace(Uri.UnescapeDataString(reference[(reference.LastIndexOf('/') + 1)..]), "_");
        var name = wanted;
        for (var i = 1; !_taken.Add(name); i++) name = i == 1 ? $"Upstream{wanted}" : $"Upstream{wanted}{i}";
        return name;
    }

    // It names schemas that nothing else need refer to.
    private JsonObject Discriminator(JsonObject owner, JsonObject from, string at)
    {
        var to = new JsonObject().Take(from, "propertyName");
        if (from["mapping"] is JsonObject mapping)
        {
            to["mapping"] = new JsonObject(mapping.Select(item => KeyValuePair.Create<string, JsonNode?>(item.Key, Components + NameOf(Reference($"{item.Value}"), $"{at}/discriminator/mapping"))));
            return to;
        }
        // Without, they go by the names of whatever extends this one.
        var implied = new JsonObject();
        foreach (var (name, schema) in document.Schemas)
        {
            if ((schema as JsonObject)?["allOf"] is not JsonArray parents || !parents.OfType<JsonObject>().Any(parent => ReferenceEquals(TargetOf(parent), owner))) continue;
            implied[name] = Components + NameOf(Components + UpstreamDocument.Escape(name), at);
        }
        if (implied.Any(item => $"{item.Value}" != Components + item.Key)) to["mapping"] = implied;
        return to;
    }

    private JsonNode? TargetOf(JsonObject node) => node.Text("$ref") is { } reference && reference.StartsWith(Components, StringComparison.Ordinal)
        ? document.Schemas[Uri.UnescapeDataString(reference[Components.Length..]).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)] : null;

    private string Reference(string mapped) => document.Schemas.ContainsKey(mapped) ? Components + UpstreamDocument.Escape(mapped) : mapped;

    [GeneratedRegex("[^A-Za-z0-9._-]")]
    private static partial Regex NoName();
}
