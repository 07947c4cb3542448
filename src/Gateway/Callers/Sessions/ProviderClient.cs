using Gateway.Callers.Tokens;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Sends the requests of logins to the identity provider: authenticates the gateway, and turns answers that no login
/// can go on from into exceptions that name the cause.
/// </summary>
internal sealed class ProviderClient(
    ProviderConfiguration provider, ClientAuthentication client, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var known = await provider.GetConfigurationAsync(cancellationToken);
        var address = request.RequestUri!.AbsoluteUri;
        var isUserInfo = Is(address, known.UserInfoEndpoint);
        string[] ofClients =
            [known.TokenEndpoint, known.PushedAuthorizationRequestEndpoint, known.RevocationEndpoint];
        if (ofClients.Any(endpoint => Is(address, endpoint)))
        {
            request.Headers.Authorization ??= client.Header(known);
        }
        var response = await base.SendAsync(request, cancellationToken);
        var what = isUserInfo ? "user info endpoint" : Is(address, known.TokenEndpoint) ? "token endpoint" : "provider";
        var failure = new ProviderAnswerException(response.StatusCode, what,
            isUserInfo ? "Authentication:Oidc:Scopes and Authentication:Oidc:UserInfo"
                : "Authentication:Oidc:Authority");
        // The library reads the errors of the other endpoints (RFC 6749, section 5.2).
        if (!failure.IsAway && (response.IsSuccessStatusCode || !isUserInfo)) return response;
        response.Dispose();
        throw failure;
    }

    private static bool Is(string address, string? endpoint) =>
        endpoint is not null && Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.AbsoluteUri == address;
}
