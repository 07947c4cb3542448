using System.Collections.Frozen;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Tokens;

/// <summary>
/// Which tokens of a provider are meant for the gateway: those with an accepted audience, and access tokens of accepted
/// clients. The second rule is for providers whose access tokens have no usable audience. It refuses ID tokens, and
/// tokens that name another API.
/// </summary>
/// <param name="audiences">The accepted audiences.</param>
/// <param name="clients">The accepted clients.</param>
/// <param name="ofClients">The audiences that a token of an accepted client may have.</param>
internal sealed class TokenAudience(
    IEnumerable<string> audiences, IEnumerable<string> clients, IEnumerable<string> ofClients)
{
    private readonly FrozenSet<string> _audiences =
        audiences.Where(one => one.Length > 0).ToFrozenSet(StringComparer.Ordinal);

    private readonly FrozenSet<string> _clients = clients.ToFrozenSet(StringComparer.Ordinal);

    private readonly FrozenSet<string> _ofClients = ofClients.ToFrozenSet(StringComparer.Ordinal);

    // ID tokens bind other values of their login (OpenID Connect Core 1.0, section 3.3.2.11).
    private static readonly string[] Bindings = ["at_hash", "c_hash", "s_hash"];

    /// <param name="named">The audiences of the token.</param>
    /// <exception cref="SecurityTokenInvalidTypeException">
    /// The token is of an accepted client, but is no access token.
    /// </exception>
    public bool Check(IEnumerable<string>? named, SecurityToken token)
    {
        string[] audience = [.. named ?? []];
        if (audience.Any(_audiences.Contains)) return true;
        if (token is not JsonWebToken read || !IsOfClient(read)) return false;
        if (!IsAccessToken(read, audience))
        {
            throw new SecurityTokenInvalidTypeException("The token is not an access token");
        }
        // A token for another API must not pass, although its client is accepted (RFC 7519, section 4.1.3).
        return Array.TrueForAll(audience, _ofClients.Contains);
    }

    // Keycloak names the client in azp, Cognito in client_id. A token with both must have two accepted ones.
    private bool IsOfClient(JsonWebToken token)
    {
        var named = ClientsOf(token);
        return named.Length > 0 && Array.TrueForAll(named, _clients.Contains);
    }

    private bool IsAccessToken(JsonWebToken token, string[] audience)
    {
        // The audience of each ID token contains its client (OpenID Connect Core 1.0, section 2).
        if (audience.Any(one => _clients.Contains(one))) return false;
        // Cognito: "access" or "id".
        if (token.TryGetPayloadValue("token_use", out object use) && use is not "access") return false;
        // Keycloak: "Bearer", or "ID", "Refresh", "Offline", "Logout" and others.
        var hasType = token.TryGetPayloadValue("typ", out object type);
        if (hasType && type is not "Bearer") return false;
        // Access tokens of older versions of Keycloak contain the nonce of the login, too.
        if (!hasType && token.TryGetPayloadValue("nonce", out object _)) return false;
        return !Array.Exists(Bindings, name => token.TryGetPayloadValue(name, out object _));
    }

    private static string[] ClientsOf(JsonWebToken token) =>
        [.. from name in (string[])["client_id", "azp"]
            where token.TryGetPayloadValue<object>(name, out _)
            select token.TryGetPayloadValue(name, out string client) ? client : ""];
}
