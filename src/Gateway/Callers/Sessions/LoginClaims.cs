using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gateway.Callers.Sessions;

/// <summary>The claims of a user, from the ID token and the user info endpoint.</summary>
internal static class LoginClaims
{
    // Claims about the login, which user info does not change.
    private static readonly string[] OfLogin =
    [
        "iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti", "sid", "auth_time", "acr", "amr", "nonce", "at_hash",
        "c_hash", "events", "cnf",
    ];

    /// <summary>Adds user info to the claims of an ID token of the same time, and replaces none of them.</summary>
    /// <remarks>OpenID Connect Core 1.0, section 5.3.</remarks>
    /// <returns>All claims, and the names of those that user info added; null: none.</returns>
    public static (JsonElement Claims, string[]? Added) Merge(JsonElement claims, JsonObject userInfo)
    {
        var all = JsonObject.Create(claims)!;
        var added = userInfo.Where(claim => all.TryAdd(claim.Key, claim.Value?.DeepClone()))
            .Select(claim => claim.Key).ToArray();
        return (JsonSerializer.SerializeToElement(all), added.Length > 0 ? added : null);
    }

    /// <summary>Replaces the claims of earlier user info, where there is no new ID token.</summary>
    /// <param name="before">The names of the claims that user info added before.</param>
    public static (JsonElement Claims, string[]? Added) Replace(
        JsonElement claims, string[]? before, JsonObject userInfo)
    {
        var all = JsonObject.Create(claims)!;
        foreach (var name in before ?? []) all.Remove(name);
        var added = new List<string>();
        foreach (var (name, value) in userInfo.Where(claim => !OfLogin.Contains(claim.Key)))
        {
            all[name] = value?.DeepClone();
            added.Add(name);
        }
        return (JsonSerializer.SerializeToElement(all), added.Count > 0 ? [.. added] : null);
    }

    /// <summary>Keeps the name of the login, by which the provider may end it, if a new ID token lacks it.</summary>
    public static JsonElement WithLogin(JsonElement claims, JsonElement before)
    {
        if (claims.TryGetProperty("sid", out _) || !before.TryGetProperty("sid", out var login)) return claims;
        var all = JsonObject.Create(claims)!;
        all["sid"] = JsonNode.Parse(login.GetRawText());
        return JsonSerializer.SerializeToElement(all);
    }
}
