using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gateway.Contract.Republished;

/// <summary>
/// Copies schemas out of the upstream's document, with each one that they reach and no other, under names of which none
/// is taken. What not every tool understands is left out, which makes a schema allow more and never less.
/// </summary>
/// <param name="taken">Names of the gateway's own schemas.</param>
internal sealed partial class SchemaCollector(UpstreamDocument document, IEnumerable<string> taken)
{
    private const string Components = "#/components/schemas/";

    private static readonly string[] OneSchema = ["items", "additionalProperties", "not"],
        ListOfSchemas = ["allOf", "anyOf", "oneOf"], MapOfSchemas = ["properties", "patternProperties"];

    private static readonly string[] Data = ["default", "example", "examples", "enum"];

    private static readonly string[] Plain =
    [
        "title", "description", "type", "format", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
        "exclusiveMinimum", "maxLength", "minLength",
        "pattern", "maxItems", "minItems", "uniqueItems", "maxProperties", "minProperties", "required", "readOnly",
        "writeOnly", "deprecated", "xml",
    ];

    // They would give a reference another meaning; and the last is YAML's, which the reader leaves as it is.
    private static readonly string[] Refused = [
        "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "<<"];

    // Names that differ in case alone are one to many a generator.
    private readonly HashSet<string> _taken = new(taken, StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _nameOf = new(StringComparer.Ordinal);
    private readonly Queue<(string Name, JsonNode Schema, string At)> _reached = [];

    /// <summary>Everything that was reached, by its new name.</summary>
    /// <exception cref="RepublishingException">A reference within it leads nowhere.</exception>
    public SortedDictionary<string, JsonNode> Collect()
    {
        var collected = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        while (_reached.TryDequeue(out var next)) collected[next.Name] = Copy(next.Schema, next.At);
        return collected;
    }

    /// <param name="at">Where it stands, as a JSON pointer.</param>
    /// <exception cref="RepublishingException">A reference within it leads nowhere.</exception>
    public JsonNode Copy(JsonNode? schema, string at)
    {
        if (schema is JsonValue value && value.TryGetValue<bool>(out var isAnything))
        {
            return isAnything ? new JsonObject() : new JsonObject { ["not"] = new JsonObject() };
        }
        if (schema is not JsonObject from) throw new RepublishingException($"{at} is no schema");
        foreach (var key in Refused)
        {
            if (from.ContainsKey(key))
            {
                throw new RepublishingException($"{at}/{key}: such references cannot be followed; use $ref");
            }
        }
        var to = new JsonObject().Take(from, Plain);
        if (from.Text("$ref") is { } reference) to["$ref"] = Components + NameOf(reference, at);
        if (from["nullable"] is { } nullable && document.Version.StartsWith("3.0", StringComparison.Ordinal))
        {
            to["nullable"] = nullable.DeepClone();
        }
        foreach (var key in Data)
        {
            if (from[key] is { } data && !data.LooksLikeReference()) to[key] = data.DeepClone();
        }
        // Not every tool knows the newer form of it, nor do all keep its type.
        if (from.ContainsKey("const")) to["enum"] = new JsonArray(from["const"]?.DeepClone());
        foreach (var key in OneSchema)
        {
            // Behind a list of first ones, it is about the rest.
            if (from[key] is not { } inner || (key == "items" && from.ContainsKey("prefixItems"))) continue;
            to[key] = key == "additionalProperties" && inner is JsonValue
                ? inner.DeepClone() : Copy(inner, $"{at}/{key}");
        }
        foreach (var key in ListOfSchemas)
        {
            if (from[key] is JsonArray list)
            {
                to[key] = new JsonArray([.. list.Select((item, i) => Copy(item, $"{at}/{key}/{i}"))]);
            }
        }
        foreach (var key in MapOfSchemas)
        {
            if (from[key] is JsonObject map)
            {
                to[key] =
                    new JsonObject(
                        map.Select(item => KeyValuePair.Create<string, JsonNode?>(
                            item.Key, Copy(item.Value, $"{at}/{key}/{UpstreamDocument.Escape(item.Key)}"))));
            }
        }
        if (from["discriminator"] is JsonObject discriminator)
        {
            to["discriminator"] = Discriminator(from, discriminator, at);
        }
        return to;
    }

    private string NameOf(string reference, string at)
    {
        if (_nameOf.TryGetValue(reference, out var known)) return known;
        var target = document.Find(reference, at);
        var name = _nameOf[reference] = Free(reference);
        _reached.Enqueue((name, target, reference));
        return name;
    }

    private string Free(string reference)
    {
        var wanted = NoName().Replace(UpstreamDocument.NameIn(reference), "_");
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
            to["mapping"] =
                new JsonObject(
                    mapping.Select(item => KeyValuePair.Create<string, JsonNode?>(
                        item.Key, Components + NameOf(Reference($"{item.Value}"), $"{at}/discriminator/mapping"))));
            return to;
        }
        // Without a mapping, the names are those of the alternatives, or of the schemas that extend this one.
        var implied = new JsonObject();
        var alternatives = ListOfSchemas.SelectMany(key => owner[key] as JsonArray ?? []).OfType<JsonObject>()
            .Select(one => one.Text("$ref")).OfType<string>();
        var heirs = document.Schemas.Where(schema => (schema.Value as JsonObject)?["allOf"] is JsonArray parents
            && parents.OfType<JsonObject>().Any(parent => ReferenceEquals(TargetOf(parent), owner)))
            .Select(schema => Components + UpstreamDocument.Escape(schema.Key));
        foreach (var reference in alternatives.Concat(heirs))
        {
            implied[UpstreamDocument.NameIn(reference)] = Components + NameOf(reference, at);
        }
        if (implied.Any(item => $"{item.Value}" != Components + item.Key)) to["mapping"] = implied;
        return to;
    }

    private JsonNode? TargetOf(JsonObject node) =>
        node.Text("$ref") is { } reference && reference.StartsWith(Components, StringComparison.Ordinal)
        ? document.Schemas[UpstreamDocument.NameIn(reference)] : null;

    private string Reference(string mapped) =>
        document.Schemas.ContainsKey(mapped) ? Components + UpstreamDocument.Escape(mapped) : mapped;

    [GeneratedRegex("[^A-Za-z0-9._-]")]
    private static partial Regex NoName();
}
