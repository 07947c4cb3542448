using Gateway.Problems;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Handles <c>POST /bff/backchannel-logout</c>: the provider tells the gateway, without a browser, that one login or
/// all logins of a user have ended (OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8).
/// </summary>
internal sealed class BackChannelLogout(
    ProviderOfSessions provider, SessionStore sessions, LoginLimits limits, Audit audit)
{
    private const string Event = "http://schemas.openid.net/event/backchannel-logout";
    private const long LargestBody = 16 * 1024;

    /// <returns>Why no session was ended; null on success.</returns>
    public async Task<Problem?> EndAsync(HttpContext http)
    {
        if (await ReadTokenAsync(http) is not { Length: > 0 } token) return Invalid("The form has no logout_token.");
        if (limits.CheckLogout(http) is { } tooMany) return tooMany;
        var (claims, refusal) = await provider.VerifyLogoutAsync(token);
        if (refusal is Refusal.ProviderAway or Refusal.ProviderMisconfigured) return Challenge.For(refusal);
        limits.NoteLogout(http, claims is not null);
        if (claims is null) return Invalid(Challenge.For(refusal).Detail);

        string? subject = claims.Values("sub").FirstOrDefault(), login = claims.Values("sid").FirstOrDefault();
        if (!claims.Has("iat") || !claims.Has("jti")) return Invalid("The logout token lacks iat or jti.");
        if (subject is null && login is null) return Invalid("The logout token has neither sub nor sid.");
        if (!claims.HasObject("events", Event)) return Invalid("The logout token has no logout event.");
        // A nonce marks an ID token, which must not pass as a logout token (section 2.4).
        if (claims.Has("nonce")) return Invalid("The logout token has a nonce, which only ID tokens have.");

        var issuer = claims.Values("iss").First();
        if (!await sessions.EndAllAsync(issuer, subject, login)) return Challenge.For(Refusal.SessionsAway);
        audit.Note(http, issuer, Audit.BackChannelLogout, $"{subject ?? "-"} {login ?? "-"}");
        return null;
    }

    private static async Task<string?> ReadTokenAsync(HttpContext http)
    {
        // A logout token is far smaller than the server's limit for bodies.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = LargestBody;
        }
        if (!http.Request.HasFormContentType) return null;
        try
        {
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            return form["logout_token"] is [{ } token] ? token : null;
        }
        catch (Exception e) when (e is InvalidDataException or BadHttpRequestException or NotSupportedException
            or ArgumentException)
        {
            return null;
        }
    }

    private static Problem Invalid(string detail) => new(CallerProblems.InvalidLogoutToken, detail);
}
