using System.Globalization;
using System.Text.Json;

namespace Gateway.Callers;

/// <summary>The claims of an identity provider about a caller: the JSON object of a token or a session.</summary>
internal sealed class ClaimSet(JsonElement claims)
{
    // These claims are lists in one string, separated by spaces (RFC 6749, section 3.3).
    private static readonly string[] WordLists = ["scope", "scp"];

    public JsonElement Json => claims;

    /// <summary>The issuer, without a slash at the end; empty if there is none.</summary>
    public string Issuer => AuthenticationOptions.IssuerOf(Values("iss").FirstOrDefault() ?? "");

    public string Subject => Values("sub").FirstOrDefault() ?? "";

    /// <summary>The expiration time (<c>exp</c>, RFC 7519, section 4.1.4); null if there is none.</summary>
    public DateTimeOffset? Expiry =>
        double.TryParse(Values("exp").FirstOrDefault(), CultureInfo.InvariantCulture, out var seconds)
        && seconds is > 0 and < 253402300800 ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) : null;

    public bool Has(string name) => Find(claims, name).ValueKind != JsonValueKind.Undefined;

    /// <summary>
    /// Whether the provider left a claim out, and says so: where else to find it (<c>_claim_names</c>, OpenID Connect
    /// Core 1.0, section 5.6.2), or that there are groups (<c>hasgroups</c> of Microsoft Entra ID).
    /// </summary>
    public bool LeftOut(string name) =>
        (claims.TryGetProperty("_claim_names", out var names) && names.ValueKind == JsonValueKind.Object
            && names.TryGetProperty(name, out _))
        || (name == "groups" && Values("hasgroups").Contains("true", StringComparer.OrdinalIgnoreCase));

    /// <summary>The names of the claims, and what kind of value each has. Values are left out.</summary>
    public IEnumerable<(string Name, string Kind)> Names() =>
        claims.EnumerateObject().Select(claim => (claim.Name, KindOf(claim.Value)));

    /// <summary>Whether a claim is an object with this member, which is an object itself.</summary>
    public bool HasObject(string name, string member) =>
        claims.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Object
        && found.TryGetProperty(member, out var inner) && inner.ValueKind == JsonValueKind.Object;

    /// <summary>
    /// Returns the values of a claim: its only value, or the items of a list. If no claim has this name, a dot in the
    /// name separates an object and its member (<c>realm_access.roles</c>).
    /// </summary>
    /// <param name="separator">Separates the values in one text; empty: a text is one value.</param>
    /// <param name="member">The member of an object that is its value; empty: objects have no value.</param>
    /// <param name="keys">Whether the names of an object's members are its values.</param>
    public IEnumerable<string> Values(string name, string separator = "", string member = "", bool keys = false)
    {
        var found = Find(claims, name);
        if (separator.Length == 0 && found.ValueKind == JsonValueKind.String && WordLists.Contains(name))
        {
            separator = " ";
        }
        IEnumerable<JsonElement> items = Items(found);
        if (keys)
        {
            return items.Where(item => item.ValueKind == JsonValueKind.Object)
                .SelectMany(item => item.EnumerateObject()).Select(one => one.Name);
        }
        if (member.Length > 0) items = items.SelectMany(item => Items(Find(item, member)));
        var texts = items.Select(Text).OfType<string>();
        return separator.Length == 0 ? texts : texts.SelectMany(text => text.Split(
            separator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    private static JsonElement[] Items(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];

    private static string KindOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => "text",
        JsonValueKind.Number => "number",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Object => "object",
        JsonValueKind.Array when value.EnumerateArray().Any(item => item.ValueKind == JsonValueKind.Object) =>
            "list of objects",
        JsonValueKind.Array => "list",
        _ => "null",
    };

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
