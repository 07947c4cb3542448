using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>Tests access tokens that a certified OpenID Connect provider issues.</summary>
public sealed class CertifiedTokenTests
{
    private const string Audience = "gateway-api";

    [Theory]
    [InlineData("Authentication:Jwt:Audience", Audience, true)]
    [InlineData("Authentication:Jwt:Audiences:0", Audience, true)]
    [InlineData("Authentication:Jwt:Audience", "another-api", false)]
    [InlineData("Authentication:Jwt:ClientIds:0", CertifiedProvider.ClientId, false)]
    [InlineData("Authentication:Jwt:ClientIds:0", CertifiedProvider.ClientId, true, Audience)]
    [InlineData("Authentication:Jwt:ClientIds:0", CertifiedProvider.ClientId, false, "another-api")]
    [InlineData("Authentication:Jwt:ClientIds:0", "another-client", false, Audience)]
    public async Task A_token_is_accepted_by_its_audience_or_its_client(
        string key, string value, bool isAccepted, string? clientAudience = null)
    {
        await using var provider = await StartAsync();
        await using var world = await World.StartAsync(Settings(
            provider, (key, value), ("Authentication:Jwt:ClientAudiences:0", clientAudience)));

        Assert.Equal(isAccepted ? HttpStatusCode.OK : HttpStatusCode.Unauthorized,
            await StatusAsync(world, await provider.AccessTokenAsync()));
    }

    [Fact]
    public async Task A_provider_is_reached_by_another_name_than_its_issuers()
    {
        await using var provider = await StartAsync("https://login.example.com");
        await using var world = await World.StartAsync(Settings(provider, ("Authentication:Jwt:Audience", Audience),
            ("Authentication:Jwt:InternalAddress", provider.Listens.AbsoluteUri)));
        await using var other = await World.StartAsync(Settings(provider, ("Authentication:Jwt:Audience", Audience),
            ("Authentication:Jwt:Authority", "https://another.example.com"),
            ("Authentication:Jwt:InternalAddress", provider.Listens.AbsoluteUri)));
        var token = await provider.AccessTokenAsync();

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(world, token));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(other, token));
    }

    private static async Task<CertifiedProvider> StartAsync(string? issuer = null)
    {
        var provider = new CertifiedProvider { Audience = Audience };
        if (issuer is not null) provider.Issuer = issuer;
        provider.Register(new Uri("https://gateway.example.com/"));
        provider.Client["token_endpoint_auth_method"] = "client_secret_post";
        await provider.StartAsync();
        return provider;
    }

    private static (string Key, string? Value)[] Settings(
        CertifiedProvider provider, params (string Key, string? Value)[] others) =>
    [
        ("Authentication:Jwt:Authority", provider.Issuer), ("Authentication:Jwt:RequireHttpsMetadata", "false"),
        ("Teams:mapping:Claims:scope:0", "jobs:read"), .. others,
    ];

    private static async Task<HttpStatusCode> StatusAsync(World world, string token)
    {
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        return answer.StatusCode;
    }
}
