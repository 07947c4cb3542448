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
/// Makes a document of the routes: from the upstream's document, if there is one, or from the configuration.
/// </summary>
internal static class RepublishedRoutes
{
    /// <summary>Tag of operations that have no tag in the upstream's document.</summary>
    public const string Tag = "Routes";

    /// <summary>The upstream's document; null: none is configured.</summary>
    /// <exception cref="OptionsValidationException">
    /// The document cannot be republished. There is one line for each route that it fails for.
    /// </exception>
    public static UpstreamDocument? Read(UpstreamOptions upstream, RoutesOptions routes)
    {
        const string Key = "Upstream:OpenApiDocument";
        if (upstream.OpenApiDocument.Length == 0) return null;
        var errors = new ConfigurationErrors();
        UpstreamDocument? document = null;
        Try(() => document = UpstreamDocument.Read(upstream.OpenApiDocument));
        foreach (var route in document is null ? [] : ForwardedRoute.Of(routes.All))
        {
            Try(() => Make(document, [route], [], upstream.BaseAddress));
        }
        errors.ThrowIfAny<UpstreamOptions>();
        return document;

        void Try(Action action)
        {
            try
            {
                action();
            }
            catch (RepublishingException e)
            {
                errors.Add(Key, e.Message);
            }
        }
    }

    /// <param name="document">The upstream's document; null: there is none.</param>
    /// <param name="taken">Names of the gateway's own schemas.</param>
    /// <param name="baseAddress">The upstream's address.</param>
    /// <exception cref="RepublishingException">The document cannot be republished.</exception>
    public static OpenApiDocument Make(
        UpstreamDocument? document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress)
    {
        document ??= UpstreamDocument.Of(routes);
        var keywords = new KeywordCopier(document, taken, baseAddress.Authority);
        var operations = new OperationCopier(document, keywords, baseAddress.AbsolutePath);
        var paths = new JsonObject();
        foreach (var route in routes) paths[route.Template.Text] = new JsonObject { ["get"] = operations.Copy(route) };
        var tags = new SortedSet<string>(
            paths.SelectMany(path => path.Value!["get"]!["tags"]!.AsArray().Select(tag => $"{tag}")),
            StringComparer.Ordinal);
        return Parse(new JsonObject
        {
            ["openapi"] = document.VersionOfCopy,
            ["info"] = new JsonObject { ["title"] = Tag, ["version"] = ContractDocument.Version },
            ["tags"] = new JsonArray([.. tags.Select(tag => new JsonObject
            {
                ["name"] = tag,
                ["description"] = document.DescriptionOf(tag) is { Length: > 0 } text
                    ? keywords.WithoutHost(text) : "Other operations of the upstream, which are let through.",
            })]),
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = keywords.ReachedSchemas() },
        });
    }

    private static OpenApiDocument Parse(JsonObject composed)
    {
        try
        {
            // No rule is checked: a fault of the upstream's document that does no harm does not stop the start.
            var read = new OpenApiJsonReader().Read(composed, new Uri("https://routes.invalid/"),
                new OpenApiReaderSettings { RuleSet = ValidationRuleSet.GetEmptyRuleSet() });
            if (read.Diagnostic?.Errors is { Count: > 0 } errors)
            {
                throw new RepublishingException(
                    string.Join("; ", errors.Select(error => $"{error.Pointer}: {error.Message}")));
            }
            foreach (var version in (ReadOnlySpan<OpenApiSpecVersion>)[OpenApiSpecVersion.OpenApi3_0,
                OpenApiSpecVersion.OpenApi3_1])
            {
                // The library writes some texts, such as control characters, as invalid JSON.
                using var text = new StringWriter(CultureInfo.InvariantCulture);
                read.Document!.SerializeAs(version, new OpenApiJsonWriter(text));
                using var _ = JsonDocument.Parse(text.ToString());
            }
            return read.Document!;
        }
        catch (Exception e)
            when (e is OpenApiException or InvalidOperationException or ArgumentException or FormatException
                or OverflowException or JsonException)
        {
            throw new RepublishingException($"a value cannot be read, or cannot be written as JSON: {e.Message}");
        }
    }
}
