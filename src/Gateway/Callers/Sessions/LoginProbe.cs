using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>Tries the identity provider of browser sessions for <c>check --online</c>, without a user.</summary>
internal sealed class LoginProbe(
    ProviderOfSessions provider, ClientAuthentication client, IOptionsMonitor<AuthenticationOptions> options)
{
    /// <returns>Why nobody could log in; null: nothing was found.</returns>
    public async Task<string?> RunAsync(CancellationToken cancellation)
    {
        if (await provider.Configuration.TryAsync(cancellation) is { } problem) return problem;
        try
        {
            var known = await provider.Configuration.GetConfigurationAsync(cancellation);
            ProviderOfSessions.CheckAlgorithms(known);
            return await TryClientAsync(known, cancellation);
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            return "does not answer in time";
        }
        catch (Exception e) when (LoginFailure.Of(e) is { Defect: null } failure)
        {
            return Describe(failure);
        }
    }

    /// <summary>
    /// Redeems a made-up code. The provider checks the client first (RFC 6749, section 4.1.3), and then refuses the
    /// code.
    /// </summary>
    private async Task<string?> TryClientAsync(OpenIdConnectConfiguration known, CancellationToken cancellation)
    {
        var form = new OpenIdConnectMessage
        {
            ClientId = options.CurrentValue.Oidc.ClientId,
            GrantType = OpenIdConnectGrantTypes.AuthorizationCode,
            Code = NewText(),
            RedirectUri = $"https://gateway.invalid{Login.CallbackPath}",
        };
        form.Parameters["code_verifier"] = NewText();
        client.AddTo(form, known);
        using var http = provider.NewClient();
        using var content = new FormUrlEncodedContent(form.Parameters);
        using var response = await http.PostAsync(TokenAnswer.AddressOf(known), content, cancellation);
        var answer = await TokenAnswer.ReadAsync(response, cancellation);
        return answer.Error is "invalid_client" or "unauthorized_client"
            ? Describe(LoginFailure.OfError(answer.Error, answer.ErrorDescription)) : null;
    }

    private static string Describe(LoginFailure failure) =>
        failure.Advice.Length > 0 ? $"{failure.Reason}. Check {failure.Advice}" : failure.Reason;

    private static string NewText() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
}
