using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Configuration;
using Gateway.Routes;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;

namespace Gateway.Contract.Republished;

/// <summary>The routes as a document of their own: out of the upstream's, where there is one, else as bare as they are known.</summary>
internal static partial class RepublishedRoutes
{
    public const string Tag = "Routes";

    /// <summary>Adds a line for whatever keeps the upstream's document from being republished.</summary>
    public static void Check(Mistakes mistakes, GatewayOptions options)
    {
        const string Key = "Upstream:OpenApiDocument";
        if (options.Upstream.OpenApiDocument.Length == 0) return;
        UpstreamDocument document;
        try
        {
            document = UpstreamDocument.Read(options.Upstream.OpenApiDocument);
        }
        catch (RepublishingException e)
        {
            mistakes.Add(Key, e.Message);
            return;
        }
        foreach (var route in ForwardedRoute.Of(options.Routes))
        {
            try
            {
                Parse(Compose(document, [route], [], options.Upstream.BaseAddress));
            }
            catch (RepublishingException e)
            {
                mistakes.Add(Key, e.Message);
            }
        }
    }

    /// <param name="document">The upstream's; null: there is none.</param>
    /// <param name="taken">Names of schemas that there are already.</param>
    public static OpenApiDocument Make(UpstreamDocument? document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress) =>
        Parse(Compose(document, routes, taken, baseAddress));

    private static JsonObject Compose(UpstreamDocument? document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress)
    {
        var (paths, schemas, used) = (new JsonObject(), new JsonObject(), new SortedSet<string>(StringComparer.Ordinal));
        if (document is null)
        {
            foreach (var route in routes) paths[route.Template.Text] = new JsonObject { ["get"] = Bare(route) };
        }
        else
        {
            var collector = new SchemaCollector(document, taken);
            var copier = new OperationCopier(document, collector);
            foreach (var route in routes) paths[route.Template.Text] = new JsonObject { ["get"] = copier.Copy(route) };
            foreach (var (name, schema) in collector.Collected) schemas[name] = schema;
        }
        foreach (var operation in paths.Select(path => (JsonObject)path.Value!["get"]!))
        {
            if (operation["tags"] is not JsonArray { Count: > 0 }) operation["tags"] = new JsonArray(Tag);
            used.UnionWith(operation["tags"]!.AsArray().Select(tag => $"{tag}"));
            operation["summary"] ??= $"GET {paths.First(path => path.Value!["get"] == operation).Key}";
            operation["description"] ??= "Passed on to the upstream, and its answer back. Nothing is cached.";
        }
        var composed = new JsonObject
        {
            ["openapi"] = document?.Version ?? "3.1.1",
            ["info"] = new JsonObject { ["title"] = Tag, ["version"] = ContractDocument.Version },
            ["tags"] = new JsonArray([.. used.Select(tag => new JsonObject
            {
                ["name"] = tag,
                ["description"] = document?.Tags.GetValueOrDefault(tag) is { Length: > 0 } said ? said : "Other operations of the upstream, which are let through.",
            })]),
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
        return (JsonObject)WithoutHost(composed, new Regex($"(https?://)?{Regex.Escape(baseAddress.Authority)}(?![A-Za-z0-9.-])", RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1)))!;
    }

    private static JsonObject Bare(ForwardedRoute route)
    {
        JsonObject Parameter(string name, string place) => new() { ["name"] = name, ["in"] = place, ["required"] = place == "path", ["schema"] = new JsonObject { ["type"] = "string" } };
        return new JsonObject
        {
            ["operationId"] = route.Name,
            ["parameters"] = new JsonArray([.. route.Template.Parameters.Select(name => Parameter(name, "path")), .. route.Options.Query.Select(name => Parameter(name, "query"))]),
            ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "What the upstream answered." } },
        };
    }

    private static OpenApiDocument Parse(JsonObject composed)
    {
        var read = OpenApiDocument.Parse(composed.ToJsonString(), "json", new OpenApiReaderSettings());
        if (read.Diagnostic?.Errors is { Count: > 0 } errors) throw new RepublishingException(string.Join("; ", errors.Select(error => $"{error.Pointer}: {error.Message}")));
        return read.Document!;
    }

    // Where the upstream is concerns no consumer.
    private static JsonNode? WithoutHost(JsonNode? node, Regex host) => node switch
    {
        JsonObject holder => new JsonObject(holder.Select(item => KeyValuePair.Create(item.Key, WithoutHost(item.Value, host)))),
        JsonArray list => new JsonArray([.. list.Select(item => WithoutHost(item, host))]),
        JsonValue value when value.TryGetValue<string>(out var text) => host.Replace(text, ""),
        _ => node?.DeepClone(),
    };
}
