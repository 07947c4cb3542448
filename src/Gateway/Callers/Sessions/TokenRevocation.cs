using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Tells the identity provider that the refresh token of an ended session is no longer needed (RFC 7009), if the
/// provider has an endpoint for that. A logout neither waits for the provider nor depends on it.
/// </summary>
internal sealed partial class TokenRevocation(
    ProviderOfSessions provider, ClientAuthentication client, SessionTokens tokens,
    IOptionsMonitor<AuthenticationOptions> options, ILogger<TokenRevocation> logger) : IDisposable
{
    // While the provider is slow, further tokens are left to expire.
    private const int MostAtOnce = 100;

    private readonly HttpClient _http = provider.NewClient();
    private int _running;

    private OidcOptions Options => options.CurrentValue.Oidc;

    /// <summary>Revokes the refresh token of a session in the background, if the session has one.</summary>
    public void Revoke(Session session)
    {
        if (Options.RevokeRefreshTokens && tokens.Unprotect(session.RefreshToken) is { } token) _ = RevokeAsync(token);
    }

    public void Dispose() => _http.Dispose();

    private async Task RevokeAsync(string token)
    {
        // The caller must not wait for reading a secret or a key.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            if (Interlocked.Increment(ref _running) <= MostAtOnce) await SendAsync(token);
            else Log.Skipped(logger);
        }
        catch (Exception e)
        {
            var failure = LoginFailure.Of(e);
            if (failure.Defect is not null) Log.Defect(logger, e);
            else Log.Failed(logger, failure.Reason);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private async Task SendAsync(string token)
    {
        var known = await provider.Configuration.GetConfigurationAsync(CancellationToken.None);
        if (!Uri.TryCreate(known.RevocationEndpoint, UriKind.Absolute, out var address)) return;
        var form = new OpenIdConnectMessage { ClientId = Options.ClientId };
        form.Parameters["token"] = token;
        form.Parameters["token_type_hint"] = OpenIdConnectParameterNames.RefreshToken;
        client.AddTo(form, known);
        using var content = new FormUrlEncodedContent(form.Parameters);
        using var response = await _http.PostAsync(address, content);
        if (!response.IsSuccessStatusCode)
        {
            throw new ProviderAnswerException(
                response.StatusCode, "revocation endpoint", "the client at the provider");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "The refresh token of an ended session was not revoked, and is valid until it expires: {Reason}")]
        public static partial void Failed(ILogger logger, string reason);

        [LoggerMessage(LogLevel.Warning, "The refresh token of an ended session was not revoked, because the identity "
            + "provider is still busy with others")]
        public static partial void Skipped(ILogger logger);

        [LoggerMessage(LogLevel.Error,
            "A refresh token could not be revoked because of a defect of the gateway")]
        public static partial void Defect(ILogger logger, Exception defect);
    }
}
