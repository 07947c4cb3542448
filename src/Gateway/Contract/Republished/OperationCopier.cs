using System.Text.Json.Nodes;
using Gateway.Routes;

namespace Gateway.Contract.Republished;

/// <summary>Makes of an operation of the upstream's document what the gateway lets through of it.</summary>
/// <param name="basePath">That of the upstream's address.</param>
internal sealed class OperationCopier(UpstreamDocument document, SchemaCollector schemas, string basePath)
{
    private readonly HashSet<string> _ids = new(StringComparer.OrdinalIgnoreCase) { "getJobById" };

    /// <exception cref="RepublishingException">
    /// The document lacks it, or a reference within it leads nowhere.
    /// </exception>
    public JsonObject Copy(ForwardedRoute route)
    {
        var item = document.FindPath(route.Template, basePath, out var at, out var template);
        if (item?["get"] is not JsonObject operation)
        {
            throw new RepublishingException($"it describes no GET {route.Template.Text}, of Routes:{route.Name}");
        }
        var to = new JsonObject { ["operationId"] = Free(operation.Text("operationId") ?? route.Name) }.Take(
            operation, "tags", "summary", "description", "deprecated");
        to["parameters"] = Parameters(route, template, item, operation, at);
        to["responses"] = Responses(route, operation, $"{at}/get/responses");
        return to;
    }

    private string Free(string wanted)
    {
        var id = wanted;
        for (var i = 1; !_ids.Add(id); i++) id = i == 1 ? $"{wanted}OfUpstream" : $"{wanted}OfUpstream{i}";
        return id;
    }

    // Of the operation before those of its path (OpenAPI 3.1, section 4.8.10.1).
    private JsonArray Parameters(
        ForwardedRoute route, RouteTemplate theirs, JsonObject item, JsonObject operation, string at)
    {
        var described = new Dictionary<(string?, string?), (JsonObject Parameter, string At)>();
        foreach (var (holder, pointer) in ((JsonObject, string)[])[(operation, $"{at}/get/parameters"),
            (item, $"{at}/parameters")])
        {
            foreach (var (parameter, i) in (holder["parameters"] as JsonArray ?? [])
                .Select((parameter, i) => (parameter, i)))
            {
                var place = $"{pointer}/{i}";
                var known = document.Follow(parameter, ref place);
                described.TryAdd((known.Text("in"), known.Text("name")), (known, place));
            }
        }
        var wanted = route.Template.Parameters.Zip(
            theirs.Parameters, (own, their) => (In: "path", Name: own, Their: their))
            .Concat(route.Options.Query.Select(name => (In: "query", Name: name, Their: name)));
        return new JsonArray([.. wanted.Select(parameter =>
            Named(parameter.Name, parameter.In, described.TryGetValue((parameter.In, parameter.Their), out var known)
                ? Parameter(known.Parameter, known.At) : null))]);
    }

    private static JsonObject Named(string name, string place, JsonObject? described)
    {
        var to = new JsonObject { ["name"] = name, ["in"] = place };
        if (place == "path") to["required"] = true;
        foreach (var (key, value) in described
            ?? new JsonObject { ["schema"] = new JsonObject { ["type"] = "string" } })
        {
            to[key] = value?.DeepClone();
        }
        return to;
    }

    private JsonObject Parameter(JsonObject from, string at)
    {
        var to = new JsonObject()
            .Take(from, "description", "required", "deprecated", "style", "explode", "allowReserved", "example");
        if (from["schema"] is { } schema) to["schema"] = schemas.Copy(schema, $"{at}/schema");
        if (from["content"] is JsonObject content) to["content"] = Content(content, $"{at}/content");
        if (Examples(from, at) is { } examples) to["examples"] = examples;
        return to;
    }

    // Its failures are told in the gateway's way.
    private JsonObject Responses(ForwardedRoute route, JsonObject operation, string at)
    {
        var to = new JsonObject();
        var responses = operation["responses"] as JsonObject ?? [];
        // Where no success is described, the default is one.
        var hasSuccess = responses.Any(response => response.Key is ['2', _, _]);
        foreach (var (status, response) in responses)
        {
            var place = $"{at}/{status}";
            if (status is ['2', _, _] or "304")
            {
                to[status] = Response(route, document.Follow(response, ref place), place);
            }
            else if (status == "default" && !hasSuccess)
            {
                to["200"] = Response(route, document.Follow(response, ref place), place);
            }
        }
        if (!hasSuccess && !to.ContainsKey("200"))
        {
            to["200"] = new JsonObject { ["description"] = "What the upstream answered." };
        }
        return to;
    }

    private JsonObject Response(ForwardedRoute route, JsonObject from, string at)
    {
        var to = new JsonObject { ["description"] = "What the upstream answered." }.Take(from, "description");
        var headers = new JsonObject();
        foreach (var (name, header) in from["headers"] as JsonObject ?? [])
        {
            var place = $"{at}/headers/{UpstreamDocument.Escape(name)}";
            if (route.Returns(name)) headers[name] = Parameter(document.Follow(header, ref place), place);
        }
        if (headers.Count > 0) to["headers"] = headers;
        if (from["content"] is JsonObject content) to["content"] = Content(content, $"{at}/content");
        return to;
    }

    private JsonObject Content(JsonObject from, string at)
    {
        var to = new JsonObject();
        foreach (var (type, media) in from)
        {
            var place = $"{at}/{UpstreamDocument.Escape(type)}";
            var known = document.Follow(media, ref place);
            var copied = new JsonObject().Take(known, "example");
            if (known["schema"] is { } schema) copied["schema"] = schemas.Copy(schema, $"{place}/schema");
            if (Examples(known, place) is { } examples) copied["examples"] = examples;
            to[type] = copied;
        }
        return to;
    }

    private JsonObject? Examples(JsonObject from, string at)
    {
        if (from["examples"] is not JsonObject examples) return null;
        var to = new JsonObject();
        foreach (var (name, example) in examples)
        {
            var place = $"{at}/examples/{UpstreamDocument.Escape(name)}";
            var known = document.Follow(example, ref place);
            if (!known["value"].LooksLikeReference())
            {
                to[name] = new JsonObject().Take(known, "summary", "description", "value");
            }
        }
        return to.Count > 0 ? to : null;
    }
}
