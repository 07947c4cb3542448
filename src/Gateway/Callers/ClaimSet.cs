using System.Text.Json;

namespace Gateway.Callers;

/// <summary>What an identity provider says of somebody: the JSON object of a token or of a session.</summary>
internal sealed class ClaimSet(JsonElement claims)
{
    // Lists of words in one string (RFC 6749, section 3.3).
    private static readonly string[] WordLists = ["scope", "scp"];

    public JsonElement Json => claims;

    public string Subject => Values("sub").FirstOrDefault() ?? "";

    public bool Has(string name) => claims.TryGetProperty(name, out _);

    /// <summary>Whether a claim is an object with such a member, itself an object.</summary>
    public bool HasObject(string name, string member) =>
        claims.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Object
        && found.TryGetProperty(member, out var inner) && inner.ValueKind == JsonValueKind.Object;

    /// <summary>
    /// The values of a claim: one, or each of a list. Where no claim has this name, a dot leads into an object
    /// (<c>realm_access.roles</c>).
    /// </summary>
    public IEnumerable<string> Values(string name)
    {
        var found = Find(claims, name);
        return found.ValueKind switch
        {
            JsonValueKind.Array => found.EnumerateArray().Select(Text).OfType<string>(),
            JsonValueKind.String when WordLists.Contains(name) => found.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            _ => Text(found) is { } text ? [text] : [],
        };
    }

    private static JsonElement Find(JsonElement claims, string name)
    {
        if (claims.ValueKind != JsonValueKind.Object) return default;
        if (claims.TryGetProperty(name, out var found)) return found;
        for (var dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            if (claims.TryGetProperty(name[..dot], out var inner) && Find(inner, name[(dot + 1)..]) is { ValueKind: not JsonValueKind.Undefined } nested)
            {
                return nested;
            }
        }
        return default;
    }

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => null,
    };
}
