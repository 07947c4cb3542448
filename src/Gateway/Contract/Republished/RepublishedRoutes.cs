using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Configuration;
using Gateway.Routes;
using Gateway.Upstream;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;

namespace Gateway.Contract.Republished;

/// <summary>
/// The routes as a document of their own: out of the upstream's, where there is one, else as bare as they are known.
/// </summary>
internal static class RepublishedRoutes
{
    public const string Tag = "Routes";

    /// <summary>The upstream's document; null: there is none.</summary>
    /// <exception cref="OptionsValidationException">
    /// It cannot be republished: a line for each route that keeps it from that.
    /// </exception>
    public static UpstreamDocument? Read(UpstreamOptions upstream, RoutesOptions routes)
    {
        const string Key = "Upstream:OpenApiDocument";
        var errors = new ConfigurationErrors();
        UpstreamDocument? document = null;
        try
        {
            if (upstream.OpenApiDocument.Length == 0) return null;
            document = UpstreamDocument.Read(upstream.OpenApiDocument);
        }
        catch (RepublishingException e)
        {
            errors.Add(Key, e.Message);
        }
        foreach (var route in document is null ? [] : ForwardedRoute.Of(routes.All))
        {
            try
            {
                Try(Make(document, [route], [], upstream.BaseAddress));
            }
            catch (RepublishingException e)
            {
                errors.Add(Key, e.Message);
            }
        }
        errors.ThrowIfAny<UpstreamOptions>();
        return document;
    }

    // What the library lets in, and then cannot write.
    private static void Try(OpenApiDocument document)
    {
        foreach (var version in (ReadOnlySpan<OpenApiSpecVersion>)[OpenApiSpecVersion.OpenApi3_0,
            OpenApiSpecVersion.OpenApi3_1])
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            document.SerializeAs(version, new OpenApiJsonWriter(text));
            try
            {
                using var _ = JsonDocument.Parse(text.ToString());
            }
            catch (JsonException e)
            {
                throw new RepublishingException($"it holds what cannot be written as JSON: {e.Message}");
            }
        }
    }

    /// <param name="document">The upstream's; null: there is none.</param>
    /// <param name="taken">Names of schemas that there are already.</param>
    public static OpenApiDocument Make(
        UpstreamDocument? document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress) =>
        Parse(Compose(document, routes, taken, baseAddress));

    private static JsonObject Compose(
        UpstreamDocument? document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress)
    {
        var (paths, schemas, used) = (
            new JsonObject(), new JsonObject(), new SortedSet<string>(StringComparer.Ordinal));
        if (document is null)
        {
            foreach (var route in routes) paths[route.Template.Text] = new JsonObject { ["get"] = Bare(route) };
        }
        else
        {
            var collector = new SchemaCollector(document, taken);
            var copier = new OperationCopier(document, collector, baseAddress.AbsolutePath);
            foreach (var route in routes) paths[route.Template.Text] = new JsonObject { ["get"] = copier.Copy(route) };
            foreach (var (name, schema) in collector.Collect()) schemas[name] = schema;
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
                ["description"] = document?.Tags.GetValueOrDefault(tag) is { Length: > 0 } said
                    ? said : "Other operations of the upstream, which are let through.",
            })]),
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
        return (JsonObject)new HostRemover(baseAddress.Authority).Remove(composed)!;
    }

    private static JsonObject Bare(ForwardedRoute route)
    {
        JsonObject Parameter(string name, string place) =>
            new()
            {
                ["name"] = name,
                ["in"] = place,
                ["required"] = place == "path",
                ["schema"] = new JsonObject { ["type"] = "string" }
            };
        return new JsonObject
        {
            ["operationId"] = route.Name,
            ["parameters"] =
                new JsonArray([.. route.Template.Parameters.Select(name => Parameter(name, "path")),
                .. route.Options.Query.Select(name => Parameter(name, "query"))]),
            ["responses"] =
                new JsonObject { ["200"] = new JsonObject { ["description"] = "What the upstream answered." } },
        };
    }

    private static OpenApiDocument Parse(JsonObject composed)
    {
        try
        {
            // What is not as it should be, but does no harm, is the upstream's.
            var read = OpenApiDocument.Parse(composed.ToJsonString(), "json",
                new OpenApiReaderSettings { RuleSet = ValidationRuleSet.GetEmptyRuleSet() });
            if (read.Diagnostic?.Errors is not { Count: > 0 } errors) return read.Document!;
            throw new RepublishingException(
                string.Join("; ", errors.Select(error => $"{error.Pointer}: {error.Message}")));
        }
        catch (Exception e)
            when (e is OpenApiException or InvalidOperationException or ArgumentException or FormatException)
        {
            throw new RepublishingException($"it holds what cannot be read: {e.Message}");
        }
    }
}
