using Gateway.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Ends a login that failed. A browser that has a session already goes on to the return address. If the application
/// asked for it, the browser returns there with an error code. Otherwise a person gets a page, and a program the
/// problem.
/// </summary>
internal sealed partial class LoginResults(
    SessionStore sessions, IOptionsMonitor<OriginOptions> cors, Audit audit, ILogger<LoginResults> logger)
{
    /// <summary>The parameter of the return address with the slug of the problem's type.</summary>
    public const string ErrorParameter = "login_error";

    private const string OnError = "on-error", Return = "return", Restarted = "restarted";

    /// <summary>Creates the state of a login.</summary>
    /// <param name="onError"><c>return</c>: the application handles failures at its return address.</param>
    public static AuthenticationProperties NewState(string returnUrl, string? onError) =>
        new(new Dictionary<string, string?> { [OnError] = onError }) { RedirectUri = returnUrl };

    /// <summary>
    /// Returns the state of a new login in place of one that another browser began. Two tabs without a cookie do that
    /// if they begin at the same time: the browser keeps one cookie. Null: the login was begun again already.
    /// </summary>
    public static AuthenticationProperties? NewStateFor(AuthenticationProperties state)
    {
        if (state.RedirectUri is null || state.Items.ContainsKey(Restarted)) return null;
        var again = NewState(state.RedirectUri, state.Items.TryGetValue(OnError, out var onError) ? onError : null);
        again.Items[Restarted] = "1";
        return again;
    }

    /// <summary>Ends a login that the OpenID Connect handler could not complete.</summary>
    public async Task FailAsync(RemoteFailureContext context)
    {
        context.HandleResponse();
        if (context.HttpContext.Items.ContainsKey(LoginHandler.OtherBrowser)
            && context.Properties is { } state && NewStateFor(state) is { } again)
        {
            await BeginAsync(context.HttpContext, again);
            return;
        }
        var failure = LoginFailure.Of(context.Failure);
        await FailAsync(context.HttpContext, failure, context.Properties);
    }

    /// <summary>Sends the browser to the identity provider, or ends the login if that fails.</summary>
    public async Task BeginAsync(HttpContext http, AuthenticationProperties state)
    {
        try
        {
            await http.ChallengeAsync(Login.Scheme, state);
        }
        catch (Exception e) when (!http.RequestAborted.IsCancellationRequested && LoginFailure.Of(e).Defect is null)
        {
            // For example, the provider is away or refuses the pushed request (RFC 9126).
            await FailAsync(http, LoginFailure.Of(e), state);
        }
    }

    public async Task FailAsync(HttpContext http, LoginFailure failure, AuthenticationProperties? state)
    {
        Note(failure);
        audit.Refuse(http, actor: null, Audit.Login, "session", failure.Problem.Type.Slug);
        await WriteAsync(http, failure.Problem, state);
    }

    /// <param name="state">The state of the login; null if it is unknown.</param>
    public async Task WriteAsync(HttpContext http, Problem problem, AuthenticationProperties? state)
    {
        http.Response.Headers.CacheControl = "no-store";
        var root = ReturnUrl.Root(http);
        // The limit must also bound what a made-up cookie costs.
        var isOld = problem.Type != CallerProblems.TooManyLogins
            && LoginCookie.Read(http.Request)?.Session is { } session
            && (await sessions.CheckAsync(session)).Refusal == Refusal.None;
        // Operators may have removed an origin from the configuration since the login began.
        var returnUrl = ReturnUrl.Check(state?.RedirectUri, root, cors.CurrentValue) ?? root;
        if (isOld)
        {
            http.Response.Redirect(returnUrl);
        }
        else if (state is not null && state.Items.TryGetValue(OnError, out var onError) && onError == Return)
        {
            http.Response.Redirect(QueryHelpers.AddQueryString(returnUrl, ErrorParameter, problem.Type.Slug));
        }
        else
        {
            var again = QueryHelpers.AddQueryString("bff/login", "returnUrl", returnUrl);
            await (problem with { Next = new PageLink("Log in again", again) }).WriteAsync(http);
        }
    }

    private void Note(LoginFailure failure)
    {
        var type = failure.Problem.Type;
        if (type == CallerProblems.IdentityMisconfigured) Log.Misconfigured(logger, failure.Reason, failure.Advice);
        else if (failure.Defect is { } defect) Log.Defect(logger, defect);
        else if (type == CallerProblems.LoginCancelled || type == CallerProblems.LoginExpired)
            Log.Ended(logger, failure.Reason);
        else Log.Failed(logger, failure.Reason);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "A login failed, and every login may fail: {Reason}. Check {Options}")]
        public static partial void Misconfigured(ILogger logger, string reason, string options);

        [LoggerMessage(LogLevel.Error, "A login failed within the gateway")]
        public static partial void Defect(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Warning, "A login failed: {Reason}")]
        public static partial void Failed(ILogger logger, string reason);

        [LoggerMessage(LogLevel.Information, "A login ended: {Reason}")]
        public static partial void Ended(ILogger logger, string reason);
    }
}
