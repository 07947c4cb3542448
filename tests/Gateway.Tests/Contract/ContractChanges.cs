using System.Text.Json.Nodes;

namespace Gateway.Tests.Contract;

/// <summary>A difference between two contracts.</summary>
/// <param name="Pointer">The position as a JSON pointer (RFC 6901) into the document that has it.</param>
/// <param name="IsBreaking">Whether a client of the older contract may fail with the newer one.</param>
internal sealed record ContractChange(string Pointer, string What, bool IsBreaking)
{
    public override string ToString() => $"{Pointer} {What}";
}

/// <summary>
/// Compares two contracts for clients that only read: responses may gain content, and requests may need less.
/// Descriptions and examples are ignored.
/// </summary>
internal sealed class ContractChanges
{
    private static readonly string[] Methods = ["get", "head", "post", "put", "patch", "delete", "options"];

    // The compared keywords of a schema, in addition to properties, items and alternatives.
    private static readonly string[] Rules =
        ["type", "format", "nullable", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum",
            "additionalProperties"];

    // What a response may gain: it then promises more than before. Generators read an integer as one of 32 bits unless
    // the document says otherwise.
    private static readonly string[] Bounds = ["pattern", "minLength", "maxLength", "minimum", "maximum"];

    private readonly JsonNode _old, _new;
    private readonly List<ContractChange> _changes = [];
    private readonly HashSet<(JsonNode, JsonNode)> _compared = [];

    private ContractChanges(JsonNode old, JsonNode @new) => (_old, _new) = (old, @new);

    public static List<ContractChange> Between(JsonNode old, JsonNode @new)
    {
        var changes = new ContractChanges(old, @new);
        changes.Paths();
        changes.Members("/components/securitySchemes", old["components"]?["securitySchemes"],
            @new["components"]?["securitySchemes"], "security scheme",
            (pointer, before, after) => changes.Same(pointer, before, after, ["type", "scheme", "in", "name"]));
        return changes._changes;
    }

    private void Paths() => Members("/paths", _old["paths"], _new["paths"], "path", (path, oldPath, newPath) =>
    {
        foreach (var method in Methods)
        {
            var (before, after, pointer) = (oldPath[method], newPath[method], $"{path}/{method}");
            if (before is null && after is not null) Add(pointer, "operation added", isBreaking: false);
            else if (before is not null && after is null) Add(pointer, "operation removed", isBreaking: true);
            else if (before is not null && after is not null) Operation(pointer, before, after);
        }
    });

    private void Operation(string pointer, JsonNode before, JsonNode after)
    {
        Same(pointer, before, after, ["operationId"]);
        Parameters($"{pointer}/parameters", before["parameters"]?.AsArray() ?? [],
            after["parameters"]?.AsArray() ?? []);
        Members($"{pointer}/responses", before["responses"], after["responses"], "status", Response,
            removalBreaks: status => status[0] == '2');
    }

    private void Parameters(string pointer, JsonArray before, JsonArray after)
    {
        static string Name(JsonNode? parameter) => $"{parameter!["in"]} {parameter["name"]}";
        foreach (var added in after.Where(parameter => !before.Any(known => Name(known) == Name(parameter))))
        {
            Add($"{pointer}/{Name(added)}", "parameter added",
                isBreaking: added!["required"]?.GetValue<bool>() == true);
        }
        foreach (var known in before)
        {
            var still = after.FirstOrDefault(parameter => Name(parameter) == Name(known));
            if (still is null) Add($"{pointer}/{Name(known)}", "parameter removed", isBreaking: true);
            else Same($"{pointer}/{Name(known)}", known!, still, ["required", "schema"]);
        }
    }

    private void Response(string pointer, JsonNode before, JsonNode after)
    {
        Members($"{pointer}/headers", before["headers"], after["headers"], "header",
            (header, one, other) => Schema($"{header}/schema", one["schema"], other["schema"]));
        Members($"{pointer}/content", before["content"], after["content"], "media type",
            (content, one, other) => Schema($"{content}/schema", one["schema"], other["schema"]));
    }

    private void Schema(string pointer, JsonNode? before, JsonNode? after)
    {
        (before, after) = (Resolve(_old, before), Resolve(_new, after));
        if (before is null || after is null)
        {
            if (before is not null || after is not null)
            {
                Add(pointer, before is null ? "schema added" : "schema removed", isBreaking: before is not null);
            }
            return;
        }
        if (!_compared.Add((before, after))) return;
        Same(pointer, before, after, Rules, mayGain: true);
        Members($"{pointer}/properties", before["properties"], after["properties"], "property", Schema);
        if (before["items"] is not null || after["items"] is not null)
        {
            Schema($"{pointer}/items", before["items"], after["items"]);
        }
        foreach (var alternatives in (string[])["allOf", "anyOf", "oneOf"])
        {
            var (one, other) = (before[alternatives]?.AsArray() ?? [], after[alternatives]?.AsArray() ?? []);
            if (one.Count != other.Count) Add($"{pointer}/{alternatives}", "alternatives changed", isBreaking: true);
            else for (var i = 0; i < one.Count; i++) Schema($"{pointer}/{alternatives}/{i}", one[i], other[i]);
        }
        var (required, still) = (Texts(before["required"]), Texts(after["required"]));
        foreach (var name in required.Except(still))
        {
            Add($"{pointer}/properties/{name}", "is no longer required", isBreaking: true);
        }
        foreach (var name in still.Except(required))
        {
            Add($"{pointer}/properties/{name}", "is required now", isBreaking: false);
        }
    }

    private void Members(string pointer, JsonNode? before, JsonNode? after, string kind,
        Action<string, JsonNode, JsonNode> compare, Func<string, bool>? removalBreaks = null)
    {
        var (old, @new) = (before?.AsObject() ?? [], after?.AsObject() ?? []);
        foreach (var (name, value) in old)
        {
            var at =
                $"{pointer}/"
                + $"{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";
            if (@new[name] is { } other) compare(at, value!, other);
            else Add(at, $"{kind} removed", removalBreaks?.Invoke(name) ?? true);
        }
        foreach (var (name, _) in @new)
        {
            if (!old.ContainsKey(name))
            {
                var escaped = name.Replace("~", "~0", StringComparison.Ordinal)
                    .Replace("/", "~1", StringComparison.Ordinal);
                Add($"{pointer}/{escaped}", $"{kind} added", isBreaking: false);
            }
        }
    }

    private void Same(string pointer, JsonNode before, JsonNode after, string[] names, bool mayGain = false)
    {
        foreach (var name in names)
        {
            if (!JsonNode.DeepEquals(before[name], after[name]))
            {
                var isGain = mayGain && before[name] is null
                    && (Bounds.Contains(name) || (name == "format" && $"{after[name]}" == "int32"));
                Add($"{pointer}/{name}", $"changed from {Text(before[name])} to {Text(after[name])}", !isGain);
            }
        }
    }

    private void Add(string pointer, string what, bool isBreaking) =>
        _changes.Add(new ContractChange($"#{pointer}", what, isBreaking));

    private static JsonNode? Resolve(JsonNode document, JsonNode? schema)
    {
        while (schema?["$ref"] is { } reference)
        {
            schema = document;
            foreach (var step in reference.GetValue<string>().Split('/').Skip(1))
            {
                schema = schema?[
                    step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)];
            }
        }
        return schema;
    }

    private static string[] Texts(JsonNode? array) => array?.AsArray().Select(text => $"{text}").ToArray() ?? [];

    private static string Text(JsonNode? value) => value?.ToJsonString() ?? "nothing";
}
