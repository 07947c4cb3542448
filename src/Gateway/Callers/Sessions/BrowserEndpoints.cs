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

/// <summary>What pages use to log people in and out, and to know who they are: <c>/bff/…</c>.</summary>
internal sealed partial class BrowserEndpoints(Identification callers, SessionStore sessions, FetchOrder order,
    LoginLimits limits, ProviderOfSessions provider,
    IOptionsMonitor<OpenIdConnectOptions> login, IOptionsMonitor<AuthenticationOptions> authentication, IOptionsMonitor<OriginOptions> cors,
    IAuthenticationHandlerProvider handlers, ILogger<BrowserEndpoints> logger)
{
    private const int MostLoginCookies = 16;

    /// <summary>Maps them, where there are browser sessions.</summary>
    public static void Map(WebApplication app)
    {
        if (!app.Services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>().CurrentValue.Oidc.IsConfigured) return;
        var bff = app.MapGroup("/bff").ExcludeFromDescription();
        bff.MapGet("/login", (HttpContext http, BrowserEndpoints own, string? returnUrl) => AnswerAsync(http, () => own.LogInAsync(http, returnUrl)));
        bff.MapGet("/callback",
            (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.EndLogInAsync(http)));
        bff.MapGet("/user", (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.TellAsync(http)));
        bff.MapPost("/logout", (HttpContext http, BrowserEndpoints own, string? returnUrl) => AnswerAsync(http, () => own.LogOutAsync(http, returnUrl)));
        bff.MapGet("/logged-out", (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.HandleAsync(http)));
        bff.MapPost("/backchannel-logout",
            (HttpContext http, BackChannelLogout own) => AnswerAsync(http, () => own.EndAsync(http)))
            .WithMetadata(new ReadsBody());
    }

    // Each says what is wrong, or has answered.
    private static async Task AnswerAsync(HttpContext http, Func<Task<Problem?>> answer)
    {
        http.Response.Headers.CacheControl = "no-store";
        if (await answer() is { } problem) await problem.WriteAsync(http);
    }

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
            // The provider is away, or refuses what was pushed to it (RFC 9126); or the secret for that cannot be read.
            Log.NotSent(logger, e.Message);
            return Challenge.For(Refusal.ProviderAway);
        }
    }

    private static bool IsOfProvider(Exception e) =>
        e is ProviderAwayException or HttpRequestException or OpenIdConnectProtocolException
            or OperationCanceledException or IOException or UnauthorizedAccessException or JsonException;

    // Each login under way has two cookies until it ends, and headers have a bound.
    private static void ForgetOldLogins(HttpContext http)
    {
        var old = http.Request.Cookies.Keys.Where(name => name.StartsWith(Login.CookiePrefix, StringComparison.Ordinal)).ToList();
        if (old.Count <= MostLoginCookies) return;
        foreach (var name in old) http.Response.Cookies.Delete(name, new CookieOptions { Path = "/", Secure = true, HttpOnly = true });
    }

    private async Task<Problem?> EndLogInAsync(HttpContext http) =>
        !sessions.IsAway && limits.ComeBack(http) is { } tooMany ? tooMany : await HandleAsync(http);

    /// <summary>Hands what comes back from the provider to the handler that sent the browser there.</summary>
    private async Task<Problem?> HandleAsync(HttpContext http)
    {
        if (sessions.IsAway) return Challenge.For(Refusal.SessionsAway);
        http.Items[Login.Began] = order.NextFetch(0);
        return await handlers.GetHandlerAsync(http, Login.Scheme) is IAuthenticationRequestHandler handler && await handler.HandleRequestAsync()
            ? null
            : new Problem(CallerProblems.LoginFailed, "This is nothing that the identity provider would send.");
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

    /// <summary>Ends the session, and says where the browser can end that with the provider.</summary>
    private async Task<Problem?> LogOutAsync(HttpContext http, string? returnUrl)
    {
        if (ReturnUrl.Check(returnUrl, Root(http), cors.CurrentValue) is not { } safe) return ReturnUrl.NotAllowed;
        var identity = await callers.IdentifyAsync(http);
        if (identity.Session.Session is not { } session) return NoSession(identity);
        await sessions.EndAsync(identity.Session.Name);
        SessionCookie.Remove(http.Response);
        // What was read with the session is not for whoever comes next.
        http.Response.Headers["Clear-Site-Data"] = "\"cache\"";
        Log.Out(logger, session.ClaimSet().Subject);
        await http.Response.WriteAsJsonAsync(new { logoutUrl = await ProviderLogoutAsync(http, safe) ?? safe }, http.RequestAborted);
        return null;
    }

    /// <summary>
    /// The provider's page that ends its own session (OpenID Connect RP-Initiated Logout 1.0, section 2); null: there
    /// is none. The ID token would be a hint whose session, but no token reaches a browser, so the provider may ask the
    /// user.
    /// </summary>
    private async Task<string?> ProviderLogoutAsync(HttpContext http, string returnUrl)
    {
        if (await provider.Configuration.FindAsync() is not { EndSessionEndpoint: { Length: > 0 } page }) return null;
        var options = login.Get(Login.Scheme);
        return new OpenIdConnectMessage
        {
            IssuerAddress = page,
            ClientId = options.ClientId,
            PostLogoutRedirectUri = $"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}{Login.LoggedOutPath}",
            State = options.StateDataFormat.Protect(new AuthenticationProperties { RedirectUri = returnUrl }),
        }.CreateLogoutRequestUrl();
    }

    private static string Root(HttpContext http) => $"{http.Request.PathBase}/";

    // A key or a token is no session.
    private static Problem NoSession(Identity identity) => identity.Caller is null ? identity.Problem : Challenge.For(Refusal.Missing);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "{Subject} has logged out")]
        public static partial void Out(ILogger logger, string subject);

        [LoggerMessage(LogLevel.Warning, "A login could not be sent to the identity provider: {Problem}")]
        public static partial void NotSent(ILogger logger, string problem);
    }
}
