using System.Text.Json.Nodes;
using Gateway.Routes;

namespace Gateway.Contract.Republished;

/// <summary>Reduces an operation of the upstream's document to what the gateway lets through.</summary>
/// <param name="basePath">Path of the upstream's address.</param>
internal sealed class OperationCopier(UpstreamDocument document, KeywordCopier keywords, string basePath)
{
    private const string Location = "Location";

    private readonly HashSet<string> _ids = new(StringComparer.OrdinalIgnoreCase) { "getJobById" };

    /// <exception cref="RepublishingException">
    /// The document lacks the operation, or a reference within it leads nowhere.
    /// </exception>
    public JsonObject Copy(ForwardedRoute route)
    {
        var item = document.FindPath(route.Template, basePath, out var at, out var template);
        if (item?["get"] is not JsonObject from)
        {
            throw new RepublishingException($"it describes no GET {route.Template.Text}, of Routes:{route.Name}");
        }
        var to = keywords.Operation(from);
        if (to["tags"] is not JsonArray { Count: > 0 }) to["tags"] = new JsonArray(RepublishedRoutes.Tag);
        to["operationId"] = Free(UpstreamDocument.Text(from, "operationId") ?? route.Name);
        to["summary"] ??= $"GET {route.Template.Text}";
        to["description"] ??= "Passed on to the upstream, and its answer back. Nothing is cached.";
        to["parameters"] = Parameters(route, template, item, from, at);
        to["responses"] = Responses(route, from["responses"] as JsonObject ?? [], $"{at}/get/responses");
        return to;
    }

    private string Free(string wanted)
    {
        var id = wanted;
        for (var i = 1; !_ids.Add(id); i++) id = i == 1 ? $"{wanted}OfUpstream" : $"{wanted}OfUpstream{i}";
        return id;
    }

    private JsonArray Parameters(
        ForwardedRoute route, RouteTemplate theirs, JsonObject item, JsonObject operation, string at)
    {
        // Parameters of the operation override those of its path (OpenAPI 3.1, section 4.8.10.1).
        var described = new Dictionary<(string?, string?), (JsonNode Parameter, string At)>();
        foreach (var (holder, pointer) in ((JsonObject, string)[])[(operation, $"{at}/get"), (item, at)])
        {
            foreach (var (i, parameter) in (holder["parameters"] as JsonArray ?? []).Index())
            {
                var place = $"{pointer}/parameters/{i}";
                var known = document.Follow(parameter, ref place);
                described.TryAdd((UpstreamDocument.Text(known, "in"), UpstreamDocument.Text(known, "name")),
                    (known, place));
            }
        }
        var wanted = route.Template.Parameters
            .Zip(theirs.Parameters, (own, their) => (In: "path", Name: own, Their: their))
            .Concat(route.Options.Query.Select(name => (In: "query", Name: name, Their: name)))
            .Concat(RouteTransformer.RequestHeaders.Where(IsDescribed)
                .Select(name => (In: "header", Name: name, Their: name)));
        return new JsonArray([.. wanted.Select(parameter =>
        {
            var to = described.TryGetValue((parameter.In, parameter.Their), out var known)
                ? keywords.Parameter(known.Parameter, known.At)
                : new JsonObject { ["schema"] = new JsonObject { ["type"] = "string" } };
            (to["name"], to["in"]) = (parameter.Name, parameter.In);
            if (parameter.In == "path") to["required"] = true;
            return to;
        })]);

        // OpenAPI ignores a parameter Accept: the media types of the answers describe it.
        bool IsDescribed(string header) => header != "Accept" && described.ContainsKey(("header", header));
    }

    // The gateway describes failures itself.
    private JsonObject Responses(ForwardedRoute route, JsonObject responses, string at)
    {
        var to = new JsonObject();
        // Where the document describes no success and no redirect, the default response is a success.
        var isDescribed = responses.Any(response => IsSuccess(response.Key) || IsRedirect(response.Key));
        foreach (var (status, response) in responses)
        {
            if (IsRedirect(status)) to[status] = Redirect(route, response, $"{at}/{status}");
            else if (IsSuccess(status) || status == "304" || (status == "default" && !isDescribed))
            {
                to[status == "default" ? "200" : status] =
                    keywords.Response(response, $"{at}/{status}", route.Returns);
            }
        }
        if (!isDescribed) to["200"] ??= new JsonObject();
        foreach (var (_, response) in to) response!["description"] ??= "What the upstream answered.";
        return to;
    }

    // The caller gets the target of a redirect, and not its body.
    private JsonObject Redirect(ForwardedRoute route, JsonNode? response, string at)
    {
        var to = keywords.Response(response, at, name => route.Returns(name) || name is Location);
        to.Remove("content");
        var headers = (JsonObject)to["headers"]!;
        headers.Remove("Content-Type");
        headers[Location] ??= new JsonObject
        {
            ["description"] = "Where the answer is: an operation of the gateway, or another host.",
            ["schema"] = new JsonObject { ["type"] = "string", ["format"] = "uri-reference" },
        };
        return to;
    }

    private static bool IsSuccess(string status) => status is ['2', _, _];

    private static bool IsRedirect(string status) =>
        status is "301" or "302" or "303" or "307" or "308" or ['3', 'X' or 'x', 'X' or 'x'];
}
