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

    // A schema may have the full depth of a document, and the contract nests it deeper.
    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = 2 * YamlText.MaxDepth };

    /// <summary>
    /// The part of the upstream's document that describes the routes, itself a document; null: none is configured. The
    /// whole document may be large, and is not kept.
    /// </summary>
    /// <exception cref="OptionsValidationException">
    /// The document cannot be republished. There is one line for each route that it fails for.
    /// </exception>
    public static UpstreamDocument? Read(UpstreamOptions upstream, RoutesOptions routes)
    {
        const string Key = "Upstream:OpenApiDocument";
        if (upstream.OpenApiDocument.Length == 0) return null;
        var errors = new ConfigurationErrors();
        UpstreamDocument? document = null, reduced = null;
        var all = ForwardedRoute.Of(routes.All);
        if (Try(() => document = UpstreamDocument.Read(upstream.OpenApiDocument)) is { } unreadable)
        {
            errors.Add(Key, unreadable);
        }
        else if (Try(() => reduced = Reduce(all)) is { } problem)
        {
            foreach (var route in all)
            {
                if (Try(() => Reduce([route])) is { } reason) errors.Add(Key, reason);
            }
            if (errors.Lines.Count == 0) errors.Add(Key, problem);
        }
        errors.ThrowIfAny<UpstreamOptions>();
        return reduced;

        UpstreamDocument Reduce(ForwardedRoute[] some)
        {
            var copy = Copy(document!, some, [], upstream.BaseAddress);
            Parse(copy);
            return document!.With(copy);
        }

        static string? Try(Action action)
        {
            try
            {
                action();
                return null;
            }
            catch (RepublishingException e)
            {
                return e.Message;
            }
            catch (InvalidOperationException e)
            {
                // Half of a surrogate pair is JSON, but no text.
                return $"a text cannot be read: {e.Message}";
            }
        }
    }

    /// <param name="document">The upstream's document; null: there is none.</param>
    /// <param name="taken">Names of the gateway's own schemas.</param>
    /// <param name="baseAddress">The upstream's address.</param>
    /// <exception cref="RepublishingException">The document cannot be republished.</exception>
    public static OpenApiDocument Make(
        UpstreamDocument? document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress) =>
        Parse(Copy(document ?? UpstreamDocument.Of(routes), routes, taken, baseAddress));

    private static JsonObject Copy(
        UpstreamDocument document, ForwardedRoute[] routes, IEnumerable<string> taken, Uri baseAddress)
    {
        var keywords = new KeywordCopier(document, taken, baseAddress.Authority);
        var operations = new OperationCopier(document, keywords, baseAddress.AbsolutePath);
        var paths = new JsonObject();
        foreach (var route in routes) paths[route.Template.Text] = new JsonObject { ["get"] = operations.Copy(route) };
        var tags = new SortedSet<string>(
            paths.SelectMany(path => path.Value!["get"]!["tags"]!.AsArray().Select(tag => $"{tag}")),
            StringComparer.Ordinal);
        return new JsonObject
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
        };
    }

    private static OpenApiDocument Parse(JsonObject copy)
    {
        try
        {
            // No rule is checked: a fault of the upstream's document that does no harm does not stop the start.
            var read = new OpenApiJsonReader().Read(copy, new Uri("https://routes.invalid/"),
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
                using var _ = JsonDocument.Parse(text.ToString(), Deep);
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
