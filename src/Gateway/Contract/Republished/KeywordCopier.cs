using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gateway.Contract.Republished;

/// <summary>
/// Copies the listed keywords of operations and schemas out of the upstream's document. A schema without the other
/// keywords allows more and never less. A named schema gets a name that is free. Other references are replaced by their
/// targets. The upstream's host is removed from texts and examples.
/// </summary>
internal sealed partial class KeywordCopier
{
    private const string Components = "#/components/schemas/";

    // The first five change what a reference means. The last is YAML's merge key, which YAML 1.2 does not have.
    private static readonly string[] Refused = [
        "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "<<"];

    private static readonly string[] KnownOfXml = ["name", "namespace", "prefix", "attribute", "wrapped"];

    private static readonly string[] Alternatives = ["allOf", "anyOf", "oneOf"];

    private readonly Dictionary<string, Copier> _operation, _response, _parameter, _media, _example, _schema;
    private readonly UpstreamDocument _document;
    private readonly Regex _host;
    private readonly HashSet<string> _taken;
    private readonly Dictionary<string, string> _nameOf = new(StringComparer.Ordinal);
    private readonly Queue<(string Name, JsonNode Schema, string At)> _reached = [];

    /// <param name="taken">Names of the gateway's own schemas.</param>
    /// <param name="authority">Host and port of the upstream's address.</param>
    public KeywordCopier(UpstreamDocument document, IEnumerable<string> taken, string authority)
    {
        _document = document;
        // Many generators take names that differ only in case for one name.
        _taken = new(taken, StringComparer.OrdinalIgnoreCase);
        // A host of one word is an ordinary word, except where an address begins with it.
        _host = new($"https?://{Regex.Escape(authority)}(?![A-Za-z0-9.-])" + (authority.AsSpan().ContainsAny('.', ':')
            ? $"|(?<![A-Za-z0-9.-]){Regex.Escape(authority)}(?![A-Za-z0-9.-])" : ""),
            RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1));

        _operation = Table((Plain, "tags deprecated"), (WithoutHost, "summary description"));
        _example = Table((WithoutHost, "summary description value"));
        _media = Table((WithoutHost, "example"), (Schema, "schema"), (Map(Example), "examples"));
        _parameter = Table((Plain, "required deprecated style explode allowReserved"),
            (WithoutHost, "description example"), (Schema, "schema"), (Map(Example), "examples"),
            (Map(Media), "content"));
        _response = Table((WithoutHost, "description"), (Map(Media), "content"));
        _schema = Table((WithoutHost, "title description default example examples"),
            (Plain, "type format enum pattern uniqueItems required readOnly writeOnly deprecated"), (Xml, "xml"),
            (Number, "multipleOf maximum minimum maxLength minLength maxItems minItems maxProperties minProperties"),
            (document.Is30 ? Plain : Number, "exclusiveMaximum exclusiveMinimum"),
            (document.Is30 ? Plain : Nothing, "nullable"), (Schema, "items not"),
            (List(Schema), "allOf anyOf oneOf"), (Map(Schema), "properties patternProperties"),
            ((node, at) => node is JsonValue ? Plain(node, at) : Schema(node, at), "additionalProperties"));
    }

    // Copies the node at a JSON pointer. Null: the node is left out.
    private delegate JsonNode? Copier(JsonNode? node, string at);

    /// <summary>An operation without its parameters and responses.</summary>
    public JsonObject Operation(JsonObject from) => Keywords(from, "", _operation);

    /// <summary>A parameter or a header, without <c>name</c> and <c>in</c>.</summary>
    /// <param name="at">JSON pointer of the parameter.</param>
    /// <exception cref="RepublishingException">The parameter has a broken reference, or is malformed.</exception>
    public JsonObject Parameter(JsonNode? node, string at) =>
        Keywords(_document.Follow(node, ref at), at, _parameter);

    /// <summary>A response with the headers that the caller gets.</summary>
    /// <param name="at">JSON pointer of the response.</param>
    /// <param name="isReturned">Whether the caller gets the header of this name.</param>
    /// <exception cref="RepublishingException">The response has a broken reference, or is malformed.</exception>
    public JsonObject Response(JsonNode? node, string at, Predicate<string> isReturned)
    {
        var from = _document.Follow(node, ref at);
        var to = Keywords(from, at, _response);
        // OpenAPI 3.2 does not require the description.
        to["description"] ??= WithoutHost(from["summary"], at);
        var headers = from["headers"] as JsonObject ?? [];
        to["headers"] = Each(headers, $"{at}/headers", name => isReturned(name) ? Parameter : null);
        return to;
    }

    /// <summary>The schemas that the copies refer to, and every schema that those reach, by their new names.</summary>
    /// <exception cref="RepublishingException">A schema has a broken reference, or is malformed.</exception>
    public JsonObject ReachedSchemas()
    {
        var collected = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        while (_reached.TryDequeue(out var next)) collected[next.Name] = Schema(next.Schema, next.At);
        return new JsonObject(collected);
    }

    /// <summary>A copy of text or data without the upstream's host.</summary>
    public JsonNode? WithoutHost(JsonNode? data) => data switch
    {
        JsonObject holder =>
            new JsonObject(holder.Select(item => KeyValuePair.Create(item.Key, WithoutHost(item.Value)))),
        JsonArray list => new JsonArray([.. list.Select(WithoutHost)]),
        JsonValue value when value.TryGetValue<string>(out var text) => _host.Replace(text, ""),
        _ => data?.DeepClone(),
    };

    private JsonNode? WithoutHost(JsonNode? data, string at) => WithoutHost(Plain(data, at));

    // Data that looks like a reference is left out, because other tools take it for one.
    private static JsonNode? Plain(JsonNode? data, string at) => LooksLikeReference(data) ? null : data?.DeepClone();

    private static JsonNode? Nothing(JsonNode? node, string at) => null;

    // The library writes the bounds as they are, so that a value that is no number would make the JSON invalid.
    private static JsonNode? Number(JsonNode? node, string at) =>
        node?.GetValueKind() == JsonValueKind.Number ? node.DeepClone()
            : decimal.TryParse($"{node}", NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
            : throw new RepublishingException($"{at} is no number");

    private static bool LooksLikeReference(JsonNode? data) => data switch
    {
        JsonObject holder => holder.ContainsKey("$ref") || holder.Any(item => LooksLikeReference(item.Value)),
        JsonArray list => list.Any(LooksLikeReference),
        _ => false,
    };

    // A keyword that is null counts as absent.
    private static Dictionary<string, Copier> Table(params (Copier Copier, string Keywords)[] rows) => rows
        .SelectMany(row => row.Keywords.Split(' ').Select(keyword => KeyValuePair.Create<string, Copier>(keyword,
            (node, at) => node is null ? null : row.Copier(node, at))))
        .ToDictionary(StringComparer.Ordinal);

    private static JsonObject Keywords(JsonObject from, string at, Dictionary<string, Copier> table) =>
        Each(from, at, table.GetValueOrDefault);

    private static Copier Map(Copier copier) => (node, at) =>
        node is JsonObject map ? Each(map, at, _ => copier) : null;

    private static Copier List(Copier copier) => (node, at) => node is JsonArray list
        ? new JsonArray([.. list.Select((item, i) => copier(item, $"{at}/{i}"))]) : null;

    private static JsonObject Each(JsonObject from, string at, Func<string, Copier?> copierOf)
    {
        var to = new JsonObject();
        foreach (var (name, value) in from)
        {
            var copied = copierOf(name)?.Invoke(value, $"{at}/{UpstreamDocument.Escape(name)}");
            if (copied is not null) to[name] = copied;
        }
        return to;
    }

    private JsonObject Media(JsonNode? node, string at)
    {
        var from = _document.Follow(node, ref at);
        var to = Keywords(from, at, _media);
        // A stream of items (OpenAPI 3.2, section 4.14.3). Before 3.2, the schema of a stream is that of one item.
        if (from["itemSchema"] is { } item) to["schema"] ??= Schema(item, $"{at}/itemSchema");
        return to;
    }

    private JsonObject? Example(JsonNode? node, string at)
    {
        var from = _document.Follow(node, ref at);
        var to = Keywords(from, at, _example);
        // OpenAPI 3.2 has two fields in place of one.
        foreach (var key in (string[])["dataValue", "serializedValue"])
        {
            if (!to.ContainsKey("value") && WithoutHost(from[key], $"{at}/{key}") is { } value) to["value"] = value;
        }
        return to.ContainsKey("value") ? to : null;
    }

    // The reader refuses unknown fields. OpenAPI 3.2 writes a node type in place of "attribute".
    private static JsonObject? Xml(JsonNode? node, string at)
    {
        if (node is not JsonObject from) return null;
        var to = new JsonObject(from.Where(item => KnownOfXml.Contains(item.Key))
            .Select(item => KeyValuePair.Create(item.Key, item.Value?.DeepClone())));
        if (UpstreamDocument.Text(from, "nodeType") == "attribute") to["attribute"] = true;
        return to;
    }

    private JsonObject Schema(JsonNode? node, string at)
    {
        if (node is JsonValue value && value.TryGetValue<bool>(out var isAnything))
        {
            return isAnything ? [] : new JsonObject { ["not"] = new JsonObject() };
        }
        if (node is not JsonObject from) throw new RepublishingException($"{at} is no schema");
        if (Refused.FirstOrDefault(from.ContainsKey) is { } key)
        {
            throw new RepublishingException($"{at}/{key}: such references cannot be followed; use $ref");
        }
        // With prefixItems, items describes only the elements after the first ones.
        var to = Each(from, at, keyword => keyword == "items" && from.ContainsKey("prefixItems")
            ? null : _schema.GetValueOrDefault(keyword));
        if (UpstreamDocument.Text(from, "$ref") is { } reference) to["$ref"] = Components + NameOf(reference, at);
        // Not every tool knows const, and some lose the type of its value.
        if (from.ContainsKey("const")) to["enum"] = new JsonArray(from["const"]?.DeepClone());
        // OpenAPI 3.2 may name a schema for all other values, which an earlier version cannot express.
        if (from["discriminator"] is JsonObject discriminator && !discriminator.ContainsKey("defaultMapping"))
        {
            to["discriminator"] = Discriminator(from, discriminator, at);
        }
        return to;
    }

    private string NameOf(string reference, string at)
    {
        reference = _document.Local(reference);
        if (_nameOf.TryGetValue(reference, out var known)) return known;
        var target = _document.Find(reference, at);
        var wanted = NoName().Replace(UpstreamDocument.NameIn(reference), "_");
        var name = wanted;
        for (var i = 1; !_taken.Add(name); i++) name = i == 1 ? $"Upstream{wanted}" : $"Upstream{wanted}{i}";
        _reached.Enqueue((name, target, reference));
        return _nameOf[reference] = name;
    }

    // A discriminator names schemas that may have no other reference.
    private JsonObject Discriminator(JsonObject owner, JsonObject from, string at)
    {
        var given = from["mapping"] as JsonObject;
        var meant = given?.Select(item => (Value: item.Key, Reference: ReferenceOf($"{item.Value}")))
            ?? Alternatives.SelectMany(key => ReferencesIn(owner[key])).Concat(HeirsOf(owner))
                .Select(reference => (Value: UpstreamDocument.NameIn(reference), Reference: reference));
        var mapping = new JsonObject();
        foreach (var (value, reference) in meant) mapping[value] = Components + NameOf(reference, at);
        var to = new JsonObject { ["propertyName"] = Plain(from["propertyName"], at) };
        // Without a mapping, the values are the names of the schemas. After a renaming they need one.
        if (given is not null || mapping.Any(item => $"{item.Value}" != Components + item.Key)) to["mapping"] = mapping;
        return to;
    }

    private string ReferenceOf(string mapped) =>
        _document.Schemas.ContainsKey(mapped) ? Components + UpstreamDocument.Escape(mapped) : mapped;

    private IEnumerable<string> ReferencesIn(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>()
        .Select(one => UpstreamDocument.Text(one, "$ref")).OfType<string>().Select(_document.Local);

    // The named schemas that extend a schema.
    private IEnumerable<string> HeirsOf(JsonObject schema) => _document.Schemas
        .Where(heir => ReferencesIn((heir.Value as JsonObject)?["allOf"]).Any(parent =>
            parent.StartsWith(Components, StringComparison.Ordinal)
            && ReferenceEquals(_document.Schemas[UpstreamDocument.NameIn(parent)], schema)))
        .Select(heir => Components + UpstreamDocument.Escape(heir.Key));

    [GeneratedRegex("[^A-Za-z0-9._-]")]
    private static partial Regex NoName();
}
