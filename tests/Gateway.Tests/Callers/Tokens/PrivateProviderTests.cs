using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>An identity provider with a certificate of a private authority.</summary>
public sealed class PrivateProviderTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Tokens_and_logins_need_the_authority_that_signed_the_certificate(bool trusts)
    {
        using var authority = new PrivateAuthority();
        using var https = authority.IssueForServer();
        await using var provider = new IdentityProvider(https: https);
        await provider.StartAsync();
        var file = trusts ? authority.Path : "";
        await using var world = await UserWorld.StartAsync(provider,
            ("Authentication:Jwt:CertificateAuthority", file), ("Authentication:Oidc:CertificateAuthority", file),
            ("Authentication:Jwt:RequireHttpsMetadata", "true"), ("Authentication:Oidc:RequireHttpsMetadata", "true"));
        using var client = world.Gateway.Client(("Authorization", $"Bearer {provider.AccessToken()}"));

        using var job = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        using var login = await client.GetAsync(new Uri("bff/login", UriKind.Relative), World.Cancellation);

        Assert.Equal(trusts ? (HttpStatusCode.OK, HttpStatusCode.Redirect)
            : (HttpStatusCode.ServiceUnavailable, HttpStatusCode.ServiceUnavailable),
            (job.StatusCode, login.StatusCode));
        foreach (var section in (string[])["Jwt", "Oidc"])
        {
            Assert.Equal(!trusts, world.Gateway.Log.All.Any(line => line.Contains(
                $"set Authentication:{section}:CertificateAuthority to its file.", StringComparison.Ordinal)));
        }
    }
}
