using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Asks the identity provider about a session again, by its refresh token (OpenID Connect Core 1.0, section 12). The
/// provider may use each refresh token once, so one node at a time asks about a session.
/// </summary>
internal sealed class SessionRefresh(
    ProviderOfSessions provider, ClientAuthentication client, IOptionsMonitor<AuthenticationOptions> options,
    TimeProvider clock) : IDisposable
{
    private readonly HttpClient _http =
        new(provider.NewHandler()) { Timeout = TimeSpan.FromSeconds(5), MaxResponseContentBufferSize = 1024 * 1024 };

    /// <returns>The session with new claims, or why the provider did not give them.</returns>
    public async Task<(Session? Session, LoginFailure? Failure)> AskAsync(Session session)
    {
        try
        {
            return (await RefreshAsync(session), null);
        }
        catch (Exception e) when (LoginFailure.Of(e) is { Defect: null } failure)
        {
            return (null, failure);
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<Session> RefreshAsync(Session session)
    {
        var known = await provider.Configuration.GetConfigurationAsync(CancellationToken.None);
        var form = new OpenIdConnectMessage
        {
            ClientId = options.CurrentValue.Oidc.ClientId,
            GrantType = OpenIdConnectGrantTypes.RefreshToken,
            RefreshToken = session.RefreshToken,
        };
        client.AddTo(form, known);
        using var content = new FormUrlEncodedContent(form.Parameters);
        using var response = await _http.PostAsync(new Uri(known.TokenEndpoint), content);
        var answer = new OpenIdConnectMessage(await response.Content.ReadAsStringAsync());
        if (!response.IsSuccessStatusCode) throw Error(answer.Error ?? "an unknown error", answer.ErrorDescription);
        return session with
        {
            Claims = await ClaimsAsync(session, answer, known),
            IdToken = session.IdToken is null ? null : answer.IdToken ?? session.IdToken,
            RefreshToken = answer.RefreshToken ?? session.RefreshToken,
            CheckedAt = clock.GetUtcNow(),
        };
    }

    // The provider need not issue a new ID token (section 12.2).
    private async Task<JsonElement> ClaimsAsync(
        Session session, OpenIdConnectMessage answer, OpenIdConnectConfiguration known)
    {
        var claims = session.Claims;
        if (answer.IdToken is { Length: > 0 } token)
        {
            var (verified, refusal) = await provider.VerifyIdTokenAsync(token);
            if (refusal == Refusal.ProviderAway) throw new HttpRequestException("The keys cannot be fetched.");
            claims = verified?.Json ?? throw Error("invalid_grant", $"the new ID token is refused ({refusal})");
        }
        CheckSubject(session, claims);
        if (!options.CurrentValue.Oidc.UserInfo || string.IsNullOrEmpty(known.UserInfoEndpoint)) return claims;
        using var request = new HttpRequestMessage(HttpMethod.Get, known.UserInfoEndpoint);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", answer.AccessToken);
        using var response = await _http.SendAsync(request);
        var info = JsonNode.Parse(await response.Content.ReadAsStringAsync()) as JsonObject ?? [];
        CheckSubject(session, JsonSerializer.SerializeToElement(info));
        return LoginClaims.Merge(claims, info, replaces: string.IsNullOrEmpty(answer.IdToken));
    }

    private static void CheckSubject(Session session, JsonElement claims)
    {
        if (new ClaimSet(claims).Subject != session.ClaimSet().Subject)
        {
            throw Error("invalid_grant", "the provider answered for another user");
        }
    }

    private static OpenIdConnectProtocolException Error(string error, string? description)
    {
        var failure = new OpenIdConnectProtocolException(error);
        failure.Data["error"] = error;
        failure.Data["error_description"] = description;
        return failure;
    }
}
