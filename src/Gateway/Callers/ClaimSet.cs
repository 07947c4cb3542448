using System.Text.Json;

namespace Gateway.Callers;

/// <summary>The claims of an identity provider about a caller: the JSON object of a token or a session.</summary>
internal sealed class ClaimSet(JsonElement claims)
{
    // These claims are lists in one string, separated by spaces (RFC 6749, section 3.3).
    private static readonly string[] WordLists = ["scope", "scp"];

    public JsonElement Json => claims;

    public string Subject => Values("sub").FirstOrDefault() ?? "";

    /// <summary>The expiration time (<c>exp</c>, RFC 7519, section 4.1.4); null if there is none.</summary>
    public DateTimeOffset? Expiry =>
        claims.TryGetProperty("exp", out var value) && value.ValueKind == JsonValueKind.Number
        && value.TryGetDouble(out var seconds) && seconds is > 0 and < 253402300800
            ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) : null;

    public bool Has(string name) => claims.TryGetProperty(name, out _);

    /// <summary>Whether a claim is an object with this member, which is an object itself.</summary>
    public bool HasObject(string name, string member) =>
        claims.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Object
        && found.TryGetProperty(member, out var inner) && inner.ValueKind == JsonValueKind.Object;

    /// <summary>
    /// Returns the values of a claim: its only value, or the items of a list. If no claim has this name, a dot in the
    /// name separates an object and its member (<c>realm_access.roles</c>).
    /// </summary>
    public IEnumerable<string> Values(string name)
    {
        var found = Find(claims, name);
        return found.ValueKind switch
        {
            JsonValueKind.Array => found.EnumerateArray().Select(Text).OfType<string>(),
            JsonValueKind.String when WordLists.Contains(name) =>
                found.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            _ => Text(found) is { } text ? [text] : [],
        };
    }

    private static JsonElement Find(JsonElement claims, string name)
    {
        if (claims.ValueKind != JsonValueKind.Object) return default;
        if (claims.TryGetProperty(name, out var found)) return found;
        for (var dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            if (!claims.TryGetProperty(name[..dot], out var inner)) continue;
            var nested = Find(inner, name[(dot + 1)..]);
            if (nested.ValueKind != JsonValueKind.Undefined) return nested;
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
