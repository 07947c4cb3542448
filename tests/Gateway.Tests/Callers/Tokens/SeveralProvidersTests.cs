using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>Tests tokens of two providers, whose groups have the same names.</summary>
public sealed class SeveralProvidersTests : IAsyncLifetime
{
    private const string IssuerOfA = "https://a.invalid/tenant/", IssuerOfB = "https://b.invalid";

    private TokenIssuer _a = null!, _b = null!;

    public async ValueTask InitializeAsync()
    {
        _a = await TokenIssuer.StartAsync(IssuerOfA);
        // The two keys have the same id.
        _b = await TokenIssuer.StartAsync(IssuerOfB, SigningKeys.NewKey(_a.Key.KeyId));
    }

    public async ValueTask DisposeAsync()
    {
        await _a.DisposeAsync();
        await _b.DisposeAsync();
    }

    [Fact]
    public async Task A_token_is_verified_only_by_the_provider_that_it_names()
    {
        await using var world = await StartAsync();
        Assert.Equal("200", await AskAsync(world, _a.Sign(Claims(IssuerOfA, "api-a", "mapping"))));
        Assert.Equal("200", await AskAsync(world, _b.Sign(Claims(IssuerOfB, "api-b", "survey"))));

        // The key of the other provider.
        const string Forged = "401 The token is not signed by a key of its provider.";
        Assert.Equal(Forged, await AskAsync(world, _a.Sign(Claims(IssuerOfB, "api-b", "survey"))));
        Assert.Equal(Forged, await AskAsync(world, _b.Sign(Claims(IssuerOfA, "api-a", "mapping"))));
        // The audience of the other provider.
        const string Audience = "401 The token is for another audience.";
        Assert.Equal(Audience, await AskAsync(world, _a.Sign(Claims(IssuerOfA, "api-b", "mapping"))));
        Assert.Equal(Audience, await AskAsync(world, _b.Sign(Claims(IssuerOfB, "api-a", "survey"))));
        // An issuer that is almost one of both.
        Assert.Equal("401 The token was issued by another provider.",
            await AskAsync(world, _a.Sign(Claims("https://a.invalid/tenant", "api-a", "mapping"))));
        Assert.Equal("401 The token was issued by another provider.",
            await AskAsync(world, _a.Sign(Claims("https://a.invalid", "api-a", "mapping"))));
    }

    [Fact]
    public async Task A_group_of_one_provider_does_not_count_for_the_other()
    {
        await using var world = await StartAsync();
        Assert.Equal("403 No team has any of your claims.",
            await AskAsync(world, _b.Sign(Claims(IssuerOfB, "api-b", "mapping"))));
        Assert.Equal("403 No team has any of your claims.",
            await AskAsync(world, _a.Sign(Claims(IssuerOfA, "api-a", "survey"))));
    }

    [Fact]
    public async Task A_session_counts_only_for_teams_of_its_provider()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await World.StartAsync([.. UserWorld.Settings(provider),
            .. _a.Settings("api-a"), ("Teams:mapping:Issuers:0", IssuerOfA),
            ("Teams:survey:Issuers:0", provider.Issuer.AbsoluteUri)]);
        provider.Register(world.Gateway.Address);
        Assert.Equal("200", await AskAsync(world, _a.Sign(Claims(IssuerOfA, "api-a", "mapping"))));
        foreach (var (user, status) in new[] { ("bob", HttpStatusCode.OK), ("alice", HttpStatusCode.Forbidden) })
        {
            using var visitor = Visitor.Of(provider);
            (await visitor.LogInAsync(provider, world.Gateway.Address, user)).Dispose();
            Assert.Equal(status, await visitor.StatusAsync(world.Gateway.Address));
        }
    }

    [Fact]
    public async Task A_provider_that_is_away_does_not_affect_tokens_of_the_other()
    {
        await using var world = await StartAsync();
        await _b.DisposeAsync();
        Assert.Equal("503 The keys of the identity provider cannot be fetched.",
            await AskAsync(world, _b.Sign(Claims(IssuerOfB, "api-b", "survey"))));
        Assert.Equal("200", await AskAsync(world, _a.Sign(Claims(IssuerOfA, "api-a", "mapping"))));
    }

    [Fact]
    public async Task A_token_of_an_unknown_issuer_is_no_failed_attempt_and_operators_see_its_issuer()
    {
        await using var world = await StartAsync(("Authentication:FailedAttempts", "2"));
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("401 The token was issued by another provider.",
                await AskAsync(world, _a.Sign(Claims("https://c.invalid\n", $"api-{i}", "mapping"))));
        }
        Assert.Single(world.Gateway.Log.All,
            line => line.Contains("names the issuer 'https://c.invalid?'", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("[\"https://b.invalid\"]")]
    [InlineData("{}")]
    [InlineData("\"\"")]
    public async Task An_issuer_that_is_no_text_is_refused(string issuer)
    {
        await using var world = await StartAsync();
        var claims = Claims(IssuerOfB, "api-b", "survey");
        claims["iss"] = JsonNode.Parse(issuer);
        Assert.StartsWith("401 ", await AskAsync(world, _b.Sign(claims)), StringComparison.Ordinal);
    }

    private Task<World> StartAsync(params (string Key, string? Value)[] others) => World.StartAsync(
    [
        .. _a.Settings("api-a"), .. _b.Settings("api-b", "Authentication:Jwt:Others:b"),
        ("Teams:mapping:Issuers:0", IssuerOfA), ("Teams:mapping:Claims:groups:0", "mapping"),
        ("Teams:survey:ClaimRules:0:Claim", "groups"), ("Teams:survey:ClaimRules:0:Values:0", "survey"),
        ("Teams:survey:ClaimRules:0:Issuer", IssuerOfB), .. others,
    ]);

    private static JsonObject Claims(string issuer, string audience, string group) =>
        new() { ["iss"] = issuer, ["aud"] = audience, ["sub"] = "ann", ["groups"] = new JsonArray(group) };

    private static async Task<string> AskAsync(World world, string token)
    {
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        if (answer.IsSuccessStatusCode) return "200";
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(World.Cancellation);
        return $"{(int)answer.StatusCode} {problem.GetProperty("detail").GetString()}";
    }
}
