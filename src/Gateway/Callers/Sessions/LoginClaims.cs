using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gateway.Callers.Sessions;

/// <summary>The claims of a user, from the ID token and the user info endpoint.</summary>
internal static class LoginClaims
{
    /// <param name="claims">The claims of the ID token.</param>
    /// <param name="userInfo">The claims of the user info endpoint.</param>
    /// <param name="replaces">
    /// Whether user info replaces claims. It must not replace those of an ID token of the same time (OpenID Connect
    /// Core 1.0, section 5.3).
    /// </param>
    public static JsonElement Merge(JsonElement claims, JsonObject userInfo, bool replaces = false)
    {
        var all = JsonObject.Create(claims)!;
        foreach (var (name, value) in userInfo)
        {
            if (replaces) all[name] = value?.DeepClone();
            else all.TryAdd(name, value?.DeepClone());
        }
        return JsonSerializer.SerializeToElement(all);
    }
}
