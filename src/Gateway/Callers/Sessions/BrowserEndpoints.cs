using Gateway.Callers.Tokens;
using Gateway.Configuration;
using Gateway.Operations;
using Microsoft.AspNetCore.Authentication;

namespace Gateway.Callers.Sessions;

/// <summary>What pages use to log people in and out, and to know who they are: <c>/bff/…</c>.</summary>
internal sealed partial class BrowserEndpoints(Identification callers, SessionStore sessions, CallerDirectory directory,
    LiveConfiguration configuration, IAuthenticationHandlerProvider handlers, ILogger<BrowserEndpoints> logger)
{
    /// <summary>Maps them, where there are browser sessions.</summary>
    public static void Map(WebApplication app)
    {
        if (!app.Services.GetRequiredService<LiveConfiguration>().Current.Authentication.Oidc.IsConfigured) return;
        var bff = app.MapGroup("/bff").ExcludeFromDescription();
        bff.MapGet("/login", (HttpContext http, BrowserEndpoints own, string? returnUrl) => own.LogInAsync(http, returnUrl));
        bff.MapGet("/callback", (HttpContext http, BrowserEndpoints own) => own.HandleAsync(http));
        bff.MapGet("/user", (HttpContext http, BrowserEndpoints own) => own.TellAsync(http));
        bff.MapPost("/logout", (HttpContext http, BrowserEndpoints own, string? returnUrl) => own.LogOutAsync(http, returnUrl));
        bff.MapGet("/logged-out", (HttpContext http, BrowserEndpoints own) => own.HandleAsync(http));
        BackChannelLogout.Map(bff);
    }

    private async Task LogInAsync(HttpContext http, string? returnUrl)
    {
        if (ReturnUrl.Check(returnUrl, Root(http), configuration.Current.Cors) is not { } safe)
        {
            await new Problem(ProblemType.InvalidReturnUrl, ReturnUrl.Form).WriteAsync(http);
            return;
        }
        if (sessions.IsAway)
        {
            await SessionsAway.WriteAsync(http);
            return;
        }
        http.Response.Headers.CacheControl = "no-store";
        try
        {
            await http.ChallengeAsync(Login.Scheme, new AuthenticationProperties { RedirectUri = safe });
        }
        catch (Exception e) when (e is ProviderAwayException or HttpRequestException)
        {
            await ProviderAway.WriteAsync(http);
        }
    }

    /// <summary>Hands what comes back from the provider to the handler that sent the browser there.</summary>
    private async Task HandleAsync(HttpContext http)
    {
        if (sessions.IsAway)
        {
            await SessionsAway.WriteAsync(http);
            return;
        }
        var handler = await handlers.GetHandlerAsync(http, Login.Scheme);
        if (handler is IAuthenticationRequestHandler callbacks && await callbacks.HandleRequestAsync()) return;
        await new Problem(ProblemType.LoginFailed, "Nothing that the identity provider would send.").WriteAsync(http);
    }

    private async Task TellAsync(HttpContext http)
    {
        var (session, id, problem) = await FindAsync(http);
        if (session is null)
        {
            await problem!.WriteAsync(http);
            return;
        }
        var claims = session.ClaimSet();
        var visible = configuration.Current.Authentication.Oidc.UserClaimsInForce
            .Where(name => session.Claims.TryGetProperty(name, out _))
            .ToDictionary(name => name, name => session.Claims.GetProperty(name));
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.Vary = Answers.Vary;
        await http.Response.WriteAsJsonAsync(new
        {
            claims = visible,
            teams = directory.TeamsOf(claims).Select(team => team.Name),
            expiresAt = session.EndsAt,
            idleExpiresAt = Earlier(sessions.IdleUntil(id), session.EndsAt),
        }, http.RequestAborted);
    }

    /// <summary>Ends the session, and says where the browser can end that with the provider.</summary>
    private async Task LogOutAsync(HttpContext http, string? returnUrl)
    {
        if (ReturnUrl.Check(returnUrl, Root(http), configuration.Current.Cors) is not { } safe)
        {
            await new Problem(ProblemType.InvalidReturnUrl, ReturnUrl.Form).WriteAsync(http);
            return;
        }
        var (session, id, problem) = await FindAsync(http);
        if (session is null)
        {
            await problem!.WriteAsync(http);
            return;
        }
        await sessions.EndAsync(id);
        SessionCookie.Remove(http.Response);
        Log.Out(logger, session.ClaimSet().Subject);
        var next = await ProviderLogoutAsync(http, session, safe) ?? safe;
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.WriteAsJsonAsync(new { logoutUrl = next }, http.RequestAborted);
    }

    // The handler answers with a redirect, which a script could not follow across origins.
    private static async Task<string?> ProviderLogoutAsync(HttpContext http, Session session, string returnUrl)
    {
        try
        {
            var properties = new AuthenticationProperties { RedirectUri = returnUrl };
            properties.SetParameter(Login.IdTokenHint, session.IdToken);
            await http.SignOutAsync(Login.Scheme, properties);
            return http.Response.Headers.Location;
        }
        catch (Exception e) when (e is ProviderAwayException or InvalidOperationException)
        {
            // It is away, or has no such page: then the session here is all there is to end.
            return null;
        }
        finally
        {
            http.Response.StatusCode = StatusCodes.Status200OK;
            http.Response.Headers.Remove("Location");
        }
    }

    private async Task<(Session? Session, string Id, Problem? Problem)> FindAsync(HttpContext http)
    {
        var identity = await callers.IdentifyAsync(http);
        if (identity.Caller is null) return (null, "", identity.Problem);
        if (http.Request.Cookies[SessionCookie.Name] is not { } id) return (null, "", Challenge.For(Refusal.Missing));
        var (session, refusal) = await sessions.FindAsync(id);
        return (session, id, session is null ? Challenge.For(refusal) : null);
    }

    private static Problem SessionsAway => Challenge.For(Refusal.SessionsAway) with { RetryAfter = TimeSpan.FromSeconds(1) };

    private static Problem ProviderAway => Challenge.For(Refusal.ProviderAway) with { RetryAfter = ProviderConfiguration.BackOff };

    private static string Root(HttpContext http) => $"{http.Request.PathBase}/";

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "{Subject} has logged out")]
        public static partial void Out(ILogger logger, string subject);
    }
}
