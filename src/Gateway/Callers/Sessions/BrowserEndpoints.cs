using System.Text.Json;
using Gateway.Callers.Tokens;
using Gateway.Problems;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>The endpoints <c>/bff/…</c>: login, logout, and information about the logged-in user.</summary>
internal sealed partial class BrowserEndpoints(Identification callers, SessionStore sessions, FetchOrder order,
    LoginLimits limits, ProviderOfSessions provider, Audit audit,
    IOptionsMonitor<OpenIdConnectOptions> login, IOptionsMonitor<AuthenticationOptions> authentication,
    IOptionsMonitor<OriginOptions> cors,
    IAuthenticationHandlerProvider handlers, ILogger<BrowserEndpoints> logger)
{
    private const int MostLoginCookies = 16;

    /// <summary>Maps the endpoints if browser sessions are configured.</summary>
    public static void Map(WebApplication app)
    {
        var authentication = app.Services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>();
        if (!authentication.CurrentValue.Oidc.IsConfigured) return;
        var bff = app.MapGroup("/bff").ExcludeFromDescription();
        bff.MapGet("/login", (HttpContext http, BrowserEndpoints own, Audit audit, string? returnUrl) =>
            AuditAsync(http, audit, Audit.Login, () => own.LogInAsync(http, returnUrl)));
        bff.MapGet("/callback", (HttpContext http, BrowserEndpoints own, Audit audit) =>
            AuditAsync(http, audit, Audit.Login, () => own.EndLogInAsync(http)));
        bff.MapGet("/user", (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.TellAsync(http)));
        bff.MapPost("/logout", (HttpContext http, BrowserEndpoints own, Audit audit, string? returnUrl) =>
            AuditAsync(http, audit, Audit.Logout, () => own.LogOutAsync(http, returnUrl)));
        bff.MapGet("/logged-out",
            (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.HandleAsync(http)));
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

    private async Task<Problem?> LogInAsync(HttpContext http, string? returnUrl)
    {
        if (ReturnUrl.Check(returnUrl, Root(http), cors.CurrentValue) is not { } safe) return ReturnUrl.NotAllowed;
        if (sessions.IsAway) return Challenge.For(Refusal.SessionsAway);
        if (limits.Begin(http) is { } tooMany) return tooMany;
        try
        {
            ForgetOldLogins(http);
            await http.ChallengeAsync(Login.Scheme, new AuthenticationProperties { RedirectUri = safe });
            return null;
        }
        catch (Exception e) when (IsOfProvider(e) && !http.RequestAborted.IsCancellationRequested)
        {
            // The provider is away, it refuses the pushed request (RFC 9126), or the client secret cannot be read.
            Log.NotSent(logger, e.Message);
            return Challenge.For(Refusal.ProviderAway);
        }
    }

    private static bool IsOfProvider(Exception e) =>
        e is ProviderAwayException or HttpRequestException or OpenIdConnectProtocolException
            or OperationCanceledException or IOException or UnauthorizedAccessException or JsonException;

    // Each pending login has two cookies, and the size of request headers is limited.
    private static void ForgetOldLogins(HttpContext http)
    {
        var old = http.Request.Cookies.Keys
            .Where(name => name.StartsWith(Login.CookiePrefix, StringComparison.Ordinal)).ToList();
        if (old.Count <= MostLoginCookies) return;
        var options = new CookieOptions { Path = "/", Secure = true, HttpOnly = true };
        foreach (var name in old) http.Response.Cookies.Delete(name, options);
    }

    private async Task<Problem?> EndLogInAsync(HttpContext http) =>
        !sessions.IsAway && limits.ComeBack(http) is { } tooMany ? tooMany : await HandleAsync(http);

    /// <summary>Passes the provider's response to the OpenID Connect handler.</summary>
    private async Task<Problem?> HandleAsync(HttpContext http)
    {
        if (sessions.IsAway) return Challenge.For(Refusal.SessionsAway);
        http.Items[Login.Began] = order.NextFetch(0);
        return await handlers.GetHandlerAsync(http, Login.Scheme) is IAuthenticationRequestHandler handler
            && await handler.HandleRequestAsync()
            ? null
            : new Problem(CallerProblems.LoginFailed, "The request is not a response of the identity provider.");
    }

    private async Task<Problem?> TellAsync(HttpContext http)
    {
        var identity = await callers.IdentifyAsync(http);
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
        if (ReturnUrl.Check(returnUrl, Root(http), cors.CurrentValue) is not { } safe) return ReturnUrl.NotAllowed;
        var identity = await callers.IdentifyAsync(http);
        if (identity.Session.Session is not { } session) return NoSession(identity);
        await sessions.EndAsync(identity.Session.Name);
        SessionCookie.Remove(http.Response);
        // The next user of the browser must not see responses that this session got.
        http.Response.Headers["Clear-Site-Data"] = "\"cache\"";
        audit.Note(http, session.ClaimSet().Subject, Audit.Logout, session.Issuer);
        var logoutUrl = await ProviderLogoutAsync(http, safe) ?? safe;
        await http.Response.WriteAsJsonAsync(new { logoutUrl }, http.RequestAborted);
        return null;
    }

    /// <summary>
    /// Returns the provider's page that ends its own session (OpenID Connect RP-Initiated Logout 1.0, section 2), or
    /// null if it has none. No token may reach a browser, so the address has no ID token as a hint, and the provider
    /// may ask the user to confirm.
    /// </summary>
    private async Task<string?> ProviderLogoutAsync(HttpContext http, string returnUrl)
    {
        if (await provider.Configuration.FindAsync() is not { EndSessionEndpoint: { Length: > 0 } page }) return null;
        var options = login.Get(Login.Scheme);
        return new OpenIdConnectMessage
        {
            IssuerAddress = page,
            ClientId = options.ClientId,
            PostLogoutRedirectUri =
                $"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}{Login.LoggedOutPath}",
            State = options.StateDataFormat.Protect(new AuthenticationProperties { RedirectUri = returnUrl }),
        }.CreateLogoutRequestUrl();
    }

    private static string Root(HttpContext http) => $"{http.Request.PathBase}/";

    // A caller with a key or a token has no session.
    private static Problem NoSession(Identity identity) =>
        identity.Caller is null ? identity.Problem : Challenge.For(Refusal.Missing);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "A login could not be sent to the identity provider: {Problem}")]
        public static partial void NotSent(ILogger logger, string problem);
    }
}
