using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Routes;
using Microsoft.OpenApi;
using Microsoft.OpenApi.YamlReader;
using SharpYaml.Serialization;

namespace Gateway.Contract.Republished;

/// <summary>The upstream's own OpenAPI document (3.0 or 3.1), as it is in its file.</summary>
internal sealed class UpstreamDocument
{
    private readonly JsonObject _root;

    private UpstreamDocument(JsonObject root, string version) => (_root, Version) = (root, version);

    /// <summary>The version of OpenAPI that it is written in, such as <c>3.0.3</c>.</summary>
    public string Version { get; }

    /// <summary>The tags that it explains, by name.</summary>
    public IReadOnlyDictionary<string, string> Tags => (_root["tags"] as JsonArray ?? []).OfType<JsonObject>()
        .Where(tag => tag.Text("name") is not null).GroupBy(tag => tag.Text("name")!)
        .ToDictionary(tag => tag.Key, tag => tag.First().Text("description") ?? "");

    /// <summary>Its named schemas.</summary>
    public JsonObject Schemas => (_root["components"] as JsonObject)?["schemas"] as JsonObject ?? [];

    /// <exception cref="RepublishingException">It cannot be read, or is not such a document.</exception>
    public static UpstreamDocument Read(string file)
    {
        string text;
        try
        {
            text = File.ReadAllText(file);
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new RepublishingException($"the file cannot be read ({e.GetType().Name})");
        }
        var root = text.AsSpan().TrimStart().StartsWith('{') && TryReadJson(text, out var json) ? json : ReadYaml(text);
        if (root is not JsonObject document || document.Text("openapi") is not { } version)
        {
            throw new RepublishingException("the file is no OpenAPI document: it lacks 'openapi', its version");
        }
        if (!version.StartsWith("3.0.", StringComparison.Ordinal)
            && !version.StartsWith("3.1.", StringComparison.Ordinal))
        {
            throw new RepublishingException($"it is written in OpenAPI {version}; 3.0 and 3.1 can be read");
        }
        if (document["paths"] is not JsonObject) throw new RepublishingException("it describes no paths");
        return new UpstreamDocument(document, version);
    }

    /// <summary>The path whose template has the shape of a route's, as it is or below the path of the server.</summary>
    /// <param name="basePath">That of the upstream's address.</param>
    /// <param name="pointer">Where it stands.</param>
    /// <param name="template">As it is there, with its own names of the parameters.</param>
    /// <returns>Null: there is none.</returns>
    public JsonObject? FindPath(RouteTemplate wanted, string basePath, out string pointer, out RouteTemplate template)
    {
        foreach (var (path, item) in (JsonObject)_root["paths"]!)
        {
            var below = BasePathOf(item as JsonObject) ?? BasePathOf(_root) ?? "";
            var isIt = RouteTemplate.TryParse(path, out var candidate, out _) && candidate.Shape == wanted.Shape;
            isIt |= RouteTemplate.TryParse(below + path, out var whole, out _)
                && whole.Shape == basePath.TrimEnd('/') + wanted.Shape;
            if (!isIt || candidate is null) continue;
            (pointer, template) = ($"#/paths/{Escape(path)}", candidate);
            return Follow(item, ref pointer);
        }
        (pointer, template) = ("", wanted);
        return null;
    }

    private static string? BasePathOf(JsonObject? holder) =>
        (holder?["servers"] as JsonArray)?.OfType<JsonObject>().FirstOrDefault()?.Text("url") is { } url
            ? (Uri.TryCreate(url, UriKind.Absolute, out var address) && !url.StartsWith('/')
            ? address.AbsolutePath : url).TrimEnd('/') : null;

    /// <summary>What a node stands for: itself, or what it refers to.</summary>
    /// <param name="pointer">Where it stands, and then where what it stands for does.</param>
    /// <exception cref="RepublishingException">It refers to nothing, or to itself.</exception>
    public JsonObject Follow(JsonNode? node, ref string pointer)
    {
        var at = pointer;
        for (var steps = 0; node is JsonObject reference && reference.Text("$ref") is { } target; steps++)
        {
            if (steps == 100) throw new RepublishingException($"{at} refers to itself");
            node = Find(target, pointer);
            pointer = target;
        }
        return node as JsonObject ?? throw new RepublishingException($"{pointer} is no object");
    }

    /// <summary>What a reference leads to.</summary>
    /// <param name="at">Where it stands, for the message.</param>
    /// <exception cref="RepublishingException">It leads nowhere, or out of the document.</exception>
    public JsonNode Find(string reference, string at)
    {
        if (!reference.StartsWith("#/", StringComparison.Ordinal))
        {
            throw new RepublishingException(
                $"{at}/$ref: '{reference}' leads out of the document; bundle it into one file");
        }
        JsonNode? node = _root;
        foreach (var token in reference[2..].Split('/'))
        {
            var name = Unescape(token);
            node = node switch
            {
                JsonObject holder => holder[name],
                JsonArray list when int.TryParse(name, out var index) && index >= 0 && index < list.Count =>
                    list[index],
                _ => null,
            };
        }
        return node ?? throw new RepublishingException($"{at}/$ref: there is no '{reference}'");
    }

    /// <summary>A name as a token of a JSON pointer (RFC 6901, section 3).</summary>
    public static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>The last name in a reference.</summary>
    public static string NameIn(string reference) => Unescape(reference[(reference.LastIndexOf('/') + 1)..]);

    private static string Unescape(string token) =>
        Uri.UnescapeDataString(token).Replace("~1", "/", StringComparison.Ordinal)
            .Replace("~0", "~", StringComparison.Ordinal);

    private static bool TryReadJson(string text, out JsonNode? json)
    {
        json = null;
        try
        {
            json = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            return true;
        }
        catch (JsonException)
        {
            // YAML may begin so, too, and nearly all JSON is YAML.
            return false;
        }
    }

    // The library has a value of its own that stands for null.
    private static JsonNode? WithNulls(JsonNode? node) => node switch
    {
        JsonObject holder =>
            new JsonObject(holder.Select(item => KeyValuePair.Create(item.Key, WithNulls(item.Value)))),
        JsonArray list => new JsonArray([.. list.Select(WithNulls)]),
        _ when node.IsJsonNullSentinel() => null,
        _ => node?.DeepClone(),
    };

    private static JsonNode? ReadYaml(string text)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            return yaml.Documents.Count == 0 ? null : WithNulls(yaml.Documents[0].ToJsonNode());
        }
        catch (Exception e)
            when (e is SharpYaml.YamlException or OpenApiReaderException or InvalidOperationException
                or ArgumentException or FormatException or NotSupportedException)
        {
            throw new RepublishingException($"the file is neither JSON nor YAML that can be read: {e.Message}");
        }
    }
}

/// <summary>Why the upstream's document cannot be republished.</summary>
internal sealed class RepublishingException(string message) : Exception(message);
