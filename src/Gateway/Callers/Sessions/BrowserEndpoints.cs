using Gateway.Callers.Tokens;
using Gateway.Configuration;
using Gateway.Operations;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>What pages use to log people in and out, and to know who they are: <c>/bff/…</c>.</summary>
internal sealed partial class BrowserEndpoints(Identification callers, SessionStore sessions, CallerDirectory directory,
    ProviderOfSessions provider, IOptionsMonitor<OpenIdConnectOptions> login, LiveConfiguration configuration,
    IAuthenticationHandlerProvider handlers, ILogger<BrowserEndpoints> logger)
{
    /// <summary>Maps them, where there are browser sessions.</summary>
    public static void Map(WebApplication app)
    {
        if (!app.Services.GetRequiredService<LiveConfiguration>().Current.Authentication.Oidc.IsConfigured) return;
        var bff = app.MapGroup("/bff").ExcludeFromDescription();
        bff.MapGet("/login", (HttpContext http, BrowserEndpoints own, string? returnUrl) => AnswerAsync(http, () => own.LogInAsync(http, returnUrl)));
        bff.MapGet("/callback", (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.HandleAsync(http)));
        bff.MapGet("/user", (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.TellAsync(http)));
        bff.MapPost("/logout", (HttpContext http, BrowserEndpoints own, string? returnUrl) => AnswerAsync(http, () => own.LogOutAsync(http, returnUrl)));
        bff.MapGet("/logged-out", (HttpContext http, BrowserEndpoints own) => AnswerAsync(http, () => own.HandleAsync(http)));
        bff.MapPost("/backchannel-logout", (HttpContext http, BackChannelLogout own) => AnswerAsync(http, () => own.EndAsync(http)));
    }

    // Each says what is wrong, or has answered.
    private static async Task AnswerAsync(HttpContext http, Func<Task<Problem?>> answer)
    {
        http.Response.Headers.CacheControl = "no-store";
        if (await answer() is { } problem) await problem.WriteAsync(http);
    }

    private async Task<Problem?> LogInAsync(HttpContext http, string? returnUrl)
    {
        if (ReturnUrl.Check(returnUrl, Root(http), configuration.Current.Cors) is not { } safe) return ReturnUrl.NotAllowed;
        if (sessions.IsAway) return Challenge.For(Refusal.SessionsAway);
        try
        {
            await http.ChallengeAsync(Login.Scheme, new AuthenticationProperties { RedirectUri = safe });
            return null;
        }
        catch (Exception e) when (e is ProviderAwayException or HttpRequestException)
        {
            return Challenge.For(Refusal.ProviderAway);
        }
    }

    /// <summary>Hands what comes back from the provider to the handler that sent the browser there.</summary>
    private async Task<Problem?> HandleAsync(HttpContext http)
    {
        if (sessions.IsAway) return Challenge.For(Refusal.SessionsAway);
        return await handlers.GetHandlerAsync(http, Login.Scheme) is IAuthenticationRequestHandler handler && await handler.HandleRequestAsync()
            ? null
            : new Problem(ProblemType.LoginFailed, "This is nothing that the identity provider would send.");
    }

    private async Task<Problem?> TellAsync(HttpContext http)
    {
        var (session, id, problem) = await FindAsync(http);
        if (session is null) return problem;
        http.Response.Headers.Vary = Answers.Vary;
        await http.Response.WriteAsJsonAsync(new
        {
            claims = configuration.Current.Authentication.Oidc.UserClaimsInForce.Where(session.ClaimSet().Has)
                .ToDictionary(name => name, name => session.Claims.GetProperty(name)),
            teams = directory.TeamsOf(session.ClaimSet()).Select(team => team.Name),
            expiresAt = session.EndsAt,
            idleExpiresAt = Earlier(sessions.IdleUntil(id), session.EndsAt),
        }, http.RequestAborted);
        return null;
    }

    /// <summary>Ends the session, and says where the browser can end that with the provider.</summary>
    private async Task<Problem?> LogOutAsync(HttpContext http, string? returnUrl)
    {
        if (ReturnUrl.Check(returnUrl, Root(http), configuration.Current.Cors) is not { } safe) return ReturnUrl.NotAllowed;
        var (session, id, problem) = await FindAsync(http);
        if (session is null) return problem;
        await sessions.EndAsync(id);
        SessionCookie.Remove(http.Response);
        Log.Out(logger, session.ClaimSet().Subject);
        await http.Response.WriteAsJsonAsync(new { logoutUrl = await ProviderLogoutAsync(http, safe) ?? safe }, http.RequestAborted);
        return null;
    }

    /// <summary>
    /// The provider's page that ends its own session (OpenID Connect RP-Initiated Logout 1.0, section 2); null: there is none.
    /// The ID token would be a hint whose session, but no token reaches a browser, so the provider may ask the user.
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

    private async Task<(Session? Session, string Id, Problem? Problem)> FindAsync(HttpContext http)
    {
        var identity = await callers.IdentifyAsync(http);
        if (identity.Caller is null) return (null, "", identity.Problem);
        if (http.Request.Cookies[SessionCookie.Name] is not { } id) return (null, "", Challenge.For(Refusal.Missing));
        var (session, refusal) = await sessions.FindAsync(id);
        return (session, id, session is null ? Challenge.For(refusal) : null);
    }

    private static string Root(HttpContext http) => $"{http.Request.PathBase}/";

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "{Subject} has logged out")]
        public static partial void Out(ILogger logger, string subject);
    }
}
