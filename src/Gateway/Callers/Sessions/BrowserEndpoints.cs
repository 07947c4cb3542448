using Gateway.Problems;
using Gateway.Runtime;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>The endpoints <c>/bff/…</c>: login, logout, and information about the logged-in user.</summary>
internal sealed class BrowserEndpoints(
    Identification callers, SessionStore sessions, ProviderOfSessions provider, SessionTokens tokens,
    TokenRevocation revocation, Audit audit,
    IOptionsMonitor<OpenIdConnectOptions> login, IOptionsMonitor<AuthenticationOptions> authentication,
    IOptionsMonitor<OriginOptions> cors)
{
    // The head of a request has 8 KiB at many servers.
    private const int LongestHint = 6 * 1024;

    /// <summary>Maps the endpoints if browser sessions are configured.</summary>
    public static void Map(WebApplication app)
    {
        var authentication = app.Services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>();
        if (!authentication.CurrentValue.Oidc.IsConfigured) return;
        var bff = app.MapGroup("/bff").ExcludeFromDescription();
        bff.MapGet("/login", (HttpContext http, LoginEndpoints own, string? returnUrl, string? onError) =>
            own.BeginAsync(http, returnUrl, onError));
        bff.MapGet("/callback", (HttpContext http, LoginEndpoints own) => own.EndAsync(http));
        bff.MapGet("/user", (HttpContext http, BrowserEndpoints own, bool extend = true) =>
            AnswerAsync(http, () => own.TellAsync(http, extend)));
        bff.MapPost("/logout", (HttpContext http, BrowserEndpoints own, Audit audit, string? returnUrl) =>
            AuditAsync(http, audit, Audit.Logout, () => own.LogOutAsync(http, returnUrl)));
        bff.MapGet("/logged-out", (HttpContext http, BrowserEndpoints own, string? state) => own.Return(http, state));
        bff.MapPost("/backchannel-logout", (HttpContext http, BackChannelLogout own, Audit audit) =>
                AuditAsync(http, audit, Audit.BackChannelLogout, () => own.EndAsync(http)))
            .WithMetadata(new ReadsBody());
    }

    // Each handler returns a problem, or null after it has written the response.
    private static async Task AnswerAsync(HttpContext http, Func<Task<Problem?>> answer)
    {
        http.Response.Headers.CacheControl = "no-store";
        if (await answer() is { } problem) await problem.WriteAsync(http);
    }

    // A handler that succeeds writes its own audit line, with the user.
    private static Task AuditAsync(HttpContext http, Audit audit, string action, Func<Task<Problem?>> answer) =>
        AnswerAsync(http, async () =>
        {
            var problem = await answer();
            if (problem is not null) audit.Refuse(http, actor: null, action, "session", problem.Type.Slug);
            return problem;
        });

    private async Task<Problem?> TellAsync(HttpContext http, bool extend)
    {
        var identity = await callers.IdentifyAsync(http, extend ? SessionUse.Request : SessionUse.Look);
        if (identity.Session.Session is not { } session) return NoSession(identity);
        http.Response.Headers.Vary = Answers.Vary;
        await http.Response.WriteAsJsonAsync(new
        {
            claims = authentication.CurrentValue.Oidc.UserClaimsInForce.Distinct().Where(session.ClaimSet().Has)
                .ToDictionary(name => name, name => session.Claims.GetProperty(name)),
            teams = identity.Caller!.Teams.Select(team => team.Name),
            expiresAt = session.EndsAt,
            idleExpiresAt = identity.Session.IdleUntil,
        }, http.RequestAborted);
        return null;
    }

    /// <summary>Ends the session, and returns the page that ends the session at the provider.</summary>
    private async Task<Problem?> LogOutAsync(HttpContext http, string? returnUrl)
    {
        var safe = ReturnUrl.Check(returnUrl, ReturnUrl.Root(http), cors.CurrentValue);
        if (safe is null) return ReturnUrl.NotAllowed;
        var identity = await callers.IdentifyAsync(http, SessionUse.Logout);
        if (identity.Session.Session is not { } session) return NoSession(identity);
        await sessions.EndAsync(identity.Session.Name);
        revocation.Revoke(session);
        SessionCookie.Remove(http.Response);
        // Another tab may have a login under way, which needs the rest of the cookie.
        if (LoginCookie.Read(http.Request) is { } cookie)
        {
            (cookie with { Session = null }).Write(http.Response);
        }
        // The next user of the browser must not see responses that this session got.
        http.Response.Headers["Clear-Site-Data"] = "\"cache\"";
        audit.Note(http, session.ClaimSet().Subject, Audit.Logout, session.Issuer);
        var logoutUrl = await ProviderLogoutAsync(http, safe, tokens.Unprotect(session.IdToken)) ?? safe;
        await http.Response.WriteAsJsonAsync(new { logoutUrl }, http.RequestAborted);
        return null;
    }

    /// <summary>
    /// Returns the provider's page that ends its own session (OpenID Connect RP-Initiated Logout 1.0, section 2), or
    /// null if it has none. Without an ID token as a hint, the provider may ask the user to confirm.
    /// </summary>
    private async Task<string?> ProviderLogoutAsync(HttpContext http, string returnUrl, string? hint)
    {
        if (await provider.Configuration.FindAsync() is not { EndSessionEndpoint: { Length: > 0 } page }) return null;
        var options = login.Get(Login.Scheme);
        return new OpenIdConnectMessage
        {
            IssuerAddress = page,
            ClientId = options.ClientId,
            IdTokenHint = hint is { Length: <= LongestHint } ? hint : null,
            PostLogoutRedirectUri =
                $"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}{Login.LoggedOutPath}",
            State = options.StateDataFormat.Protect(new AuthenticationProperties { RedirectUri = returnUrl }),
        }.CreateLogoutRequestUrl();
    }

    // The provider sends the browser here after its logout. Without a state, there is only one place to go to.
    private IResult Return(HttpContext http, string? state)
    {
        http.Response.Headers.CacheControl = "no-store";
        var known = string.IsNullOrEmpty(state) ? null : login.Get(Login.Scheme).StateDataFormat.Unprotect(state);
        var root = ReturnUrl.Root(http);
        return Results.Redirect(ReturnUrl.Check(known?.RedirectUri, root, cors.CurrentValue) ?? root);
    }

    // A caller with a key or a token has no session.
    private static Problem NoSession(Identity identity) =>
        identity.Caller is null ? identity.Problem : Challenge.For(Refusal.Missing);
}
