using Gateway.Callers.Sessions;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests which method of client authentication is in force.</summary>
[Trait("Kind", "Unit")]
public sealed class ClientAuthenticationTests
{
    [Theory]
    [InlineData("", "", "", "client_secret_basic")]
    [InlineData("", "", "client_secret_post client_secret_basic", "client_secret_basic")]
    [InlineData("", "", "private_key_jwt client_secret_post", "client_secret_post")]
    [InlineData("", "", "tls_client_auth", null)]
    [InlineData("", "key.pem", "client_secret_basic", "private_key_jwt")]
    [InlineData("client_secret_post", "", "client_secret_basic", "client_secret_post")]
    public void The_configured_method_counts_and_otherwise_the_first_that_the_provider_supports(
        string configured, string keyFile, string supported, string? expected)
    {
        var options = new OidcOptions { ClientAuthentication = configured, ClientKeyFile = keyFile };
        var provider = new OpenIdConnectConfiguration();
        foreach (var method in supported.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            provider.TokenEndpointAuthMethodsSupported.Add(method);
        Assert.Equal(expected, ClientAuthentication.MethodFor(options, provider));
    }
}
