using System.Text.Json;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>Reads answers of the provider's token endpoint (RFC 6749, sections 5.1 and 5.2).</summary>
internal static class TokenAnswer
{
    /// <exception cref="ProviderAnswerException">The answer is none of OAuth.</exception>
    public static async Task<OpenIdConnectMessage> ReadAsync(
        HttpResponseMessage response, CancellationToken cancellation)
    {
        var text = await response.Content.ReadAsStringAsync(cancellation);
        try
        {
            var answer = new OpenIdConnectMessage(text);
            if (response.IsSuccessStatusCode || !string.IsNullOrEmpty(answer.Error)) return answer;
        }
        catch (Exception e) when (e is ArgumentException or JsonException)
        {
            // Not JSON, such as the page of a proxy.
        }
        throw new ProviderAnswerException(response.StatusCode, "token endpoint", "Authentication:Oidc:Authority");
    }

    /// <exception cref="ProviderMismatchException">The provider publishes no token endpoint.</exception>
    public static Uri AddressOf(OpenIdConnectConfiguration provider) =>
        Uri.TryCreate(provider.TokenEndpoint, UriKind.Absolute, out var address) ? address
            : throw new ProviderMismatchException(
                "the provider publishes no token endpoint", "Authentication:Oidc:Authority");
}
