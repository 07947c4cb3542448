using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>What the provider said about a session.</summary>
/// <param name="Session">The session with the claims of this time; null if there are none.</param>
/// <param name="IsEnded">Whether the provider has ended the session, or locked out its user.</param>
/// <param name="Failure">Why there are no claims; null if there are.</param>
internal sealed record SessionAnswer(Session? Session, bool IsEnded, LoginFailure? Failure);

/// <summary>
/// Asks the identity provider about a session again, by its refresh token (OpenID Connect Core 1.0, section 12). The
/// provider may accept each refresh token only once, so one node at a time asks about a session.
/// </summary>
internal sealed partial class SessionRefresh(
    ProviderOfSessions provider, ClientAuthentication client, SessionTokens tokens,
    IOptionsMonitor<AuthenticationOptions> options, TimeProvider clock, ILogger<SessionRefresh> logger) : IDisposable
{
    private static readonly string[] EndingErrors =
    [
        "invalid_grant", "access_denied", "login_required", "interaction_required", "consent_required",
        "account_selection_required",
    ];

    private readonly HttpClient _http = provider.NewClient();

    private int _hasToldOfClaims;

    private OidcOptions Options => options.CurrentValue.Oidc;

    /// <param name="session">A session with a refresh token.</param>
    /// <param name="keep">Stores the session with the next refresh token, before anything else can fail.</param>
    /// <param name="cancellation">Ends all requests to the provider.</param>
    public async Task<SessionAnswer> AskAsync(
        Session session, Func<Session, Task> keep, CancellationToken cancellation)
    {
        try
        {
            return new(await RefreshAsync(session, keep, cancellation), IsEnded: false, Failure: null);
        }
        catch (SessionEndedException e)
        {
            return new(null, IsEnded: true, new LoginFailure(Challenge.For(Refusal.SessionEnded), e.Message));
        }
        catch (Exception e)
        {
            var failure = LoginFailure.Of(e);
            if (failure.Defect is not null) Log.Defect(logger, e);
            return new(null, IsEnded: false, failure);
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<Session> RefreshAsync(
        Session session, Func<Session, Task> keep, CancellationToken cancellation)
    {
        var known = await provider.Configuration.GetConfigurationAsync(cancellation);
        var form = new OpenIdConnectMessage
        {
            ClientId = Options.ClientId,
            GrantType = OpenIdConnectGrantTypes.RefreshToken,
            RefreshToken = tokens.Unprotect(session.RefreshToken)
                ?? throw new SessionEndedException("the key of its refresh token no longer exists"),
        };
        client.AddTo(form, known);
        using var content = new FormUrlEncodedContent(form.Parameters);
        using var response = await _http.PostAsync(TokenAnswer.AddressOf(known), content, cancellation);
        var answer = await TokenAnswer.ReadAsync(response, cancellation);
        if (answer.Error is { Length: > 0 } error)
        {
            if (EndingErrors.Contains(error)) throw new SessionEndedException($"the provider answered {error}");
            var failure = LoginFailure.OfError(error, answer.ErrorDescription);
            throw new ProviderMismatchException(failure.Reason, failure.Advice);
        }
        if (answer.RefreshToken is { Length: > 0 } next && next != form.RefreshToken)
        {
            session = session with { RefreshToken = tokens.Protect(next) };
            await keep(session);
        }
        if (session.IdToken is not null && answer.IdToken is { Length: > 0 } idToken)
        {
            session = session with { IdToken = tokens.Protect(idToken) };
        }
        return await WithClaimsAsync(session, answer, known, cancellation);
    }

    // The provider need not issue a new ID token (section 12.2).
    private async Task<Session> WithClaimsAsync(
        Session session, OpenIdConnectMessage answer, OpenIdConnectConfiguration known, CancellationToken cancellation)
    {
        var checkedAt = clock.GetUtcNow();
        JsonElement? verified =
            string.IsNullOrEmpty(answer.IdToken) ? null : await VerifyAsync(session, answer.IdToken);
        var info = await UserInfoAsync(session, answer.AccessToken, known, cancellation);
        if (verified is null && info is null && Interlocked.Exchange(ref _hasToldOfClaims, 1) == 0)
        {
            Log.NoClaims(logger);
        }
        var (claims, added) = verified is { } fresh ? LoginClaims.Merge(fresh, info ?? [])
            : info is not null ? LoginClaims.Replace(session.Claims, session.UserInfo, info)
            : (session.Claims, session.UserInfo);
        return session with { Claims = claims, UserInfo = added, CheckedAt = checkedAt };
    }

    private async Task<JsonElement> VerifyAsync(Session session, string token)
    {
        var (claims, refusal) = await provider.VerifyIdTokenAsync(token);
        if (refusal == Refusal.ProviderAway) throw new HttpRequestException("The keys cannot be fetched.");
        if (claims is null)
        {
            throw new ProviderMismatchException($"the new ID token is refused ({refusal})",
                "the clocks, Authentication:ClockSkew, and the client at the provider");
        }
        CheckUser(session, claims);
        return LoginClaims.WithLogin(claims.Json, session.Claims);
    }

    private async Task<JsonObject?> UserInfoAsync(
        Session session, string? accessToken, OpenIdConnectConfiguration known, CancellationToken cancellation)
    {
        if (!Options.UserInfo || string.IsNullOrEmpty(known.UserInfoEndpoint) || string.IsNullOrEmpty(accessToken))
        {
            return null;
        }
        using var request = new HttpRequestMessage(HttpMethod.Get, known.UserInfoEndpoint);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        try
        {
            using var response = await _http.SendAsync(request, cancellation);
            var info = await ReadAsync(response, cancellation);
            CheckUser(session, new ClaimSet(JsonSerializer.SerializeToElement(info)));
            return info;
        }
        catch (ProviderAnswerException e) when (e.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            throw new SessionEndedException(e.Message);
        }
    }

    private static async Task<JsonObject> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var text = await response.Content.ReadAsStringAsync(cancellation);
        try
        {
            // A signed answer came from the provider itself, like any other.
            var isToken = response.Content.Headers.ContentType?.MediaType == "application/jwt";
            if (isToken) text = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text.Split('.').ElementAt(1)));
            return JsonNode.Parse(text) as JsonObject ?? throw new FormatException("It is another value.");
        }
        catch (Exception e) when (e is FormatException or JsonException or ArgumentException)
        {
            throw new ProviderMismatchException("the answer of the user info endpoint is no JSON object",
                "Authentication:Oidc:UserInfo");
        }
    }

    private static void CheckUser(Session session, ClaimSet claims)
    {
        var login = session.ClaimSet().Values("sid").FirstOrDefault();
        var isSameLogin = login is null || !claims.Has("sid") || claims.Values("sid").Contains(login);
        if (claims.Subject != session.ClaimSet().Subject || !isSameLogin)
        {
            throw new SessionEndedException("the provider answered for another user or login");
        }
    }

    /// <summary>The provider has ended the session, or answers for another user.</summary>
    private sealed class SessionEndedException(string message) : Exception(message);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "A session could not be checked because of a defect of the gateway")]
        public static partial void Defect(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Warning, "The identity provider gives neither an ID token nor user info when it is "
            + "asked again, so only the end of a session is noticed; this is logged once")]
        public static partial void NoClaims(ILogger logger);
    }
}
