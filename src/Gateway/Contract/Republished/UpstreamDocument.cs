using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using Gateway.Routes;
using Microsoft.OpenApi;
using SharpYaml;

namespace Gateway.Contract.Republished;

/// <summary>The upstream's own OpenAPI document (3.0, 3.1 or 3.2) as JSON.</summary>
internal sealed class UpstreamDocument
{
    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        MaxDepth = YamlText.MaxDepth,
    };

    private readonly JsonObject _root;

    // The address that the document gives itself (OpenAPI 3.2, section 4.1.2.2). References may name it.
    private readonly Uri? _self;

    private readonly Lazy<Dictionary<string, RouteTemplate>> _templates;

    private UpstreamDocument(JsonObject root, string version)
    {
        (_root, Version) = (root, version);
        _templates = new(TemplatesByShape);
        _self = Uri.TryCreate(Text(root, "$self"), UriKind.Absolute, out var self) ? self : null;
    }

    /// <summary>The version of OpenAPI that the document is written in, such as <c>3.0.3</c>.</summary>
    public string Version { get; }

    /// <summary>Whether the version is 3.0.x, which writes <c>null</c> and exclusive bounds in its own way.</summary>
    public bool Is30 => Version.StartsWith("3.0.", StringComparison.Ordinal);

    /// <summary>
    /// The version in which the copied keywords are read: all of them mean the same in 3.2 as in 3.1.
    /// </summary>
    public string VersionOfCopy => Is30 ? Version : "3.1.1";

    /// <summary>The named schemas.</summary>
    public JsonObject Schemas => (_root["components"] as JsonObject)?["schemas"] as JsonObject ?? [];

    /// <summary>The description of a tag; null: there is none.</summary>
    public string? DescriptionOf(string tag) => (_root["tags"] as JsonArray ?? []).OfType<JsonObject>()
        .Where(known => Text(known, "name") == tag)
        .Select(known => Text(known, "description") ?? Text(known, "summary")).FirstOrDefault();

    /// <summary>A document that describes each route as a GET, and nothing more.</summary>
    public static UpstreamDocument Of(IEnumerable<ForwardedRoute> routes) => new(new JsonObject
    {
        ["paths"] = new JsonObject(routes.Select(route => KeyValuePair.Create<string, JsonNode?>(
            route.Template.Text, new JsonObject { ["get"] = new JsonObject() }))),
    }, "3.1.1");

    /// <summary>The document that a copy of operations makes.</summary>
    public UpstreamDocument With(JsonObject copy) => new(copy, VersionOfCopy);

    /// <param name="file">Path of a JSON or YAML file.</param>
    /// <exception cref="RepublishingException">The file cannot be read, or is no such document.</exception>
    public static UpstreamDocument Read(string file)
    {
        try
        {
            if (Parse(File.ReadAllBytes(file)) is not { } root
                || (root["openapi"] ?? root["swagger"])?.ToString() is not { } version)
            {
                throw new RepublishingException("the file is no OpenAPI document: it lacks 'openapi', its version");
            }
            if (version is not ['3', '.', '0' or '1' or '2', '.', ..])
            {
                throw new RepublishingException($"it is written in OpenAPI {version}; 3.0, 3.1 and 3.2 can be read");
            }
            if (root["paths"] is not JsonObject) throw new RepublishingException("it describes no paths");
            return new UpstreamDocument(root, version);
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new RepublishingException($"the file cannot be read ({e.GetType().Name})");
        }
    }

    private static JsonObject? Parse(byte[] file)
    {
        try
        {
            var mark = Encoding.UTF8.Preamble;
            var utf8 = file.AsMemory(file.AsSpan().StartsWith(mark) ? mark.Length : 0);
            if (utf8.Span.TrimStart(" \t\r\n"u8) is [(byte)'{', ..] && Utf8.IsValid(utf8.Span)) return ParseJson(utf8);
        }
        catch (JsonException)
        {
            // A YAML document may begin with a brace, too. Nearly every JSON document is YAML.
        }
        try
        {
            using var text = new StreamReader(new MemoryStream(file));
            return ParseJson(YamlText.ToJson(text.ReadToEnd()));
        }
        catch (Exception e) when (e is YamlException or JsonException or InvalidOperationException)
        {
            throw new RepublishingException($"the file is neither JSON nor YAML that can be read: {e.Message}");
        }
    }

    // The objects are made of the bytes when they are first looked at. Most of a large document never is.
    private static JsonObject? ParseJson(ReadOnlyMemory<byte> utf8) =>
        JsonDocument.Parse(utf8, Strict).RootElement is { ValueKind: JsonValueKind.Object } root
            ? JsonObject.Create(root) : null;

    /// <summary>Finds the path whose template has a route's shape, as it is or below a server's path.</summary>
    /// <param name="basePath">Path of the upstream's address.</param>
    /// <param name="pointer">JSON pointer of the path.</param>
    /// <param name="template">The path's template, with the document's names of the parameters.</param>
    /// <returns>Null: there is none.</returns>
    public JsonObject? FindPath(RouteTemplate wanted, string basePath, out string pointer, out RouteTemplate template)
    {
        (pointer, template) = ("", wanted);
        var whole = basePath.TrimEnd('/') + wanted.Shape;
        foreach (var (below, shape) in Splits(whole).Prepend((null, wanted.Shape)))
        {
            if (!_templates.Value.TryGetValue(shape, out var found)) continue;
            var item = _root["paths"]![found.Text];
            if (below is not null && !(BasePathsOf(item as JsonObject) ?? BasePathsOf(_root) ?? []).Contains(below))
            {
                continue;
            }
            (pointer, template) = ($"#/paths/{Escape(found.Text)}", found);
            return Follow(item, ref pointer);
        }
        return null;
    }

    // Each way to split a path between the path of a server and that below it.
    private static IEnumerable<(string? Below, string Shape)> Splits(string path)
    {
        for (var at = 0; at >= 0; at = path.IndexOf('/', at + 1)) yield return (path[..at], path[at..]);
    }

    private Dictionary<string, RouteTemplate> TemplatesByShape()
    {
        var templates = new Dictionary<string, RouteTemplate>(StringComparer.Ordinal);
        foreach (var (path, _) in (JsonObject)_root["paths"]!)
        {
            if (RouteTemplate.TryParse(path, out var template, out _)) templates.TryAdd(template.Shape, template);
        }
        return templates;
    }

    private IEnumerable<string>? BasePathsOf(JsonObject? holder) =>
        (holder?["servers"] as JsonArray)?.OfType<JsonObject>().Select(BasePathOf).OfType<string>();

    private string? BasePathOf(JsonObject server)
    {
        var url = Text(server, "url") ?? "/";
        foreach (var (name, variable) in server["variables"] as JsonObject ?? [])
        {
            if (variable is JsonObject known) url = url.Replace($"{{{name}}}", Text(known, "default") ?? "");
        }
        return Uri.TryCreate(_self ?? new Uri("http://server/"), url, out var address)
            ? address.AbsolutePath.TrimEnd('/') : null;
    }

    /// <summary>The node itself, or the object that it refers to.</summary>
    /// <param name="pointer">JSON pointer of the node; afterwards that of the object.</param>
    /// <exception cref="RepublishingException">The node refers to nothing, or to itself.</exception>
    public JsonObject Follow(JsonNode? node, ref string pointer)
    {
        var at = pointer;
        for (var steps = 0; node is JsonObject reference && Text(reference, "$ref") is { } target; steps++)
        {
            if (steps == 100) throw new RepublishingException($"{at} refers to itself");
            node = Find(target, pointer);
            pointer = Local(target);
        }
        return node as JsonObject ?? throw new RepublishingException($"{pointer} is no object");
    }

    /// <summary>The target of a reference.</summary>
    /// <param name="at">JSON pointer of the object that holds the reference, for the message.</param>
    /// <exception cref="RepublishingException">The reference leads nowhere, or out of the document.</exception>
    public JsonNode Find(string reference, string at)
    {
        reference = Local(reference);
        if (!reference.StartsWith("#/", StringComparison.Ordinal))
        {
            throw new RepublishingException(
                $"{at}/$ref: '{reference}' leads out of the document; bundle it into one file");
        }
        JsonNode? node = _root;
        foreach (var name in new JsonPointer(reference).Tokens)
        {
            node = node switch
            {
                JsonObject holder => holder[name],
                JsonArray list when int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                    && index < list.Count => list[index],
                _ => null,
            };
        }
        return node ?? throw new RepublishingException($"{at}/$ref: there is no '{reference}'");
    }

    /// <summary>A reference without the document's own address.</summary>
    public string Local(string reference)
    {
        if (_self is null || reference.StartsWith('#') || !Uri.TryCreate(_self, reference, out var target)
            || target.Fragment.Length == 0)
        {
            return reference;
        }
        const UriComponents WithoutFragment = UriComponents.HttpRequestUrl | UriComponents.UserInfo;
        var isOwn = Uri.Compare(target, _self, WithoutFragment, UriFormat.UriEscaped, StringComparison.Ordinal) == 0;
        return isOwn ? reference[reference.IndexOf('#', StringComparison.Ordinal)..] : reference;
    }

    /// <summary>A property that is a string; null: there is none.</summary>
    public static string? Text(JsonObject node, string name) =>
        node[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>A name as a token of a JSON pointer (RFC 6901, section 3).</summary>
    public static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>The last name in a reference.</summary>
    public static string NameIn(string reference) => new JsonPointer(reference).Tokens[^1];
}

/// <summary>The reason why the upstream's document cannot be republished.</summary>
internal sealed class RepublishingException(string message) : Exception(message);
