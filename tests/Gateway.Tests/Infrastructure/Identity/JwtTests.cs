using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>Checks, with a correct validator, that the tokens of tests are valid or invalid as intended.</summary>
public sealed class JwtTests : IAsyncLifetime
{
    private static readonly string[] Several = ["another-api", IdentityProvider.Audience];

    private readonly IdentityProvider _provider = new();

    public async ValueTask InitializeAsync() => await _provider.StartAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task An_unchanged_token_is_valid()
    {
        Assert.Null(await WrongAsync(_provider.AccessToken()));
        Assert.Null(await WrongAsync(_provider.AccessToken("bob", jwt => jwt with { Audience = Several })));
        Assert.Null(
            await WrongAsync(_provider.AccessToken("dave", jwt => jwt.With("padding", new string('x', 100_000)))));
    }

    [Fact]
    public async Task Each_defect_of_a_token_is_refused_with_its_own_exception()
    {
        var key = _provider.Keys.Current;
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = DateTimeOffset.UtcNow;

        await Is<SecurityTokenExpiredException>(
            jwt => jwt with { NotBefore = now.AddHours(-2), Expires = now.AddHours(-1) });
        await Is<SecurityTokenNotYetValidException>(
            jwt => jwt with { NotBefore = now.AddHours(1), Expires = now.AddHours(2) });
        await Is<SecurityTokenNoExpirationException>(jwt => jwt with { Expires = null });
        await Is<SecurityTokenInvalidAudienceException>(jwt => jwt with { Audience = "another-api" });
        await Is<SecurityTokenInvalidAudienceException>(jwt => jwt with { Audience = null });
        await Is<SecurityTokenInvalidIssuerException>(jwt => jwt with { Issuer = "http://127.0.0.1:1/" });
        await Is<SecurityTokenInvalidIssuerException>(jwt => jwt with { Issuer = null });
        await Is<SecurityTokenInvalidTypeException>(jwt => jwt with { Type = "JWT" });
        await Is<SecurityTokenInvalidSignatureException>(jwt => jwt.Unsigned());
        await Is<SecurityTokenInvalidSignatureException>(jwt => jwt.Unsigned("nOnE"));
        await Is<SecurityTokenSignatureKeyNotFoundException>(jwt => jwt with { KeyId = "nobody-s" });
        await Is<SecurityTokenInvalidSignatureException>(jwt => jwt with { Key = SigningKeys.NewKey() });
        await Is<SecurityTokenSignatureKeyNotFoundException>(
            jwt => jwt with { Key = SigningKeys.NewKey(), KeyId = null });
        await Is<SecurityTokenInvalidSignatureException>(
            jwt => jwt with { Key = SigningKeys.PublicPem(key), Algorithm = "HS256" });
        await Is<SecurityTokenInvalidSignatureException>(
            jwt => jwt with { Key = SigningKeys.PublicDer(key), Algorithm = "HS256" });
        await Is<SecurityTokenInvalidSignatureException>(
            jwt => jwt with { Key = new ECDsaSecurityKey(curve), Algorithm = "ES256" });
        Assert.IsType<SecurityTokenInvalidSignatureException>(
            await WrongAsync(Jwt.Tamper(_provider.AccessToken("bob"), "groups", User.Alice.Groups)), exactMatch: false);

        async Task Is<T>(Func<Jwt, Jwt> change) where T : Exception =>
            Assert.IsType<T>(await WrongAsync(_provider.AccessToken(change: change)), exactMatch: false);
    }

    [Fact]
    public async Task The_public_key_validates_as_an_HMAC_secret_if_the_algorithm_is_not_restricted()
    {
        var secret = SigningKeys.PublicPem(_provider.Keys.Current);
        var token = _provider.AccessToken(change: jwt => jwt with { Key = secret, Algorithm = "HS256" });
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(token, new()
        {
            IssuerSigningKey = secret,
            ValidateIssuer = false,
            ValidateAudience = false,
        });
        Assert.True(result.IsValid, result.Exception?.Message);
    }

    [Fact]
    public async Task Tokens_are_signed_with_the_current_key()
    {
        var old = _provider.AccessToken();
        _provider.RotateSigningKey();
        Assert.Null(await WrongAsync(old));
        Assert.Null(await WrongAsync(_provider.AccessToken()));

        _provider.RotateSigningKey(keepOld: false);
        Assert.IsType<SecurityTokenSignatureKeyNotFoundException>(await WrongAsync(old));
        Assert.Null(await WrongAsync(_provider.AccessToken()));
    }

    [Fact]
    public async Task A_logout_token_conforms_to_the_specification()
    {
        var token = new JsonWebToken(_provider.LogoutToken("subject-of-alice", "a-session"));
        var result = await ValidateAsync(_provider, token.EncodedToken, IdentityProvider.ClientId);
        Assert.True(result.IsValid, result.Exception?.Message);
        Assert.Equal(("logout+jwt", "subject-of-alice", "a-session"),
            (token.Typ, token.Subject, token.GetPayloadValue<string>("sid")));
        Assert.Equal("""{"http://schemas.openid.net/event/backchannel-logout":{}}""",
            token.GetPayloadValue<JsonElement>("events").ToString());
        Assert.True(token.TryGetPayloadValue<string>("jti", out _));
        Assert.True(token.TryGetPayloadValue<long>("iat", out _));
        Assert.False(token.TryGetPayloadValue<string>("nonce", out _));
    }

    [Fact]
    public void A_logout_token_can_be_made_invalid()
    {
        var token = new JsonWebToken(_provider.LogoutToken(
            session: "s", change: jwt => jwt.With("nonce", "n").Without("events").Without("jti")));
        Assert.True(token.TryGetPayloadValue<string>("nonce", out _));
        Assert.False(token.TryGetPayloadValue<object>("events", out _));
        Assert.False(token.TryGetPayloadValue<object>("jti", out _));
        Assert.False(token.TryGetPayloadValue<object>("sub", out _));
    }

    [Fact]
    public void Tokens_use_the_clock_of_the_test()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var token = new JsonWebToken(new IdentityProvider(clock).AccessToken());
        Assert.Equal((clock.GetUtcNow().UtcDateTime, clock.GetUtcNow().UtcDateTime.AddMinutes(5)),
            (token.IssuedAt, token.ValidTo));
    }

    /// <summary>Validates a token with the published keys of a provider.</summary>
    internal static async Task<TokenValidationResult> ValidateAsync(
        IdentityProvider provider, string token, string audience, string? type = null)
    {
        using var client = new HttpClient { BaseAddress = provider.Address };
        var keys = new JsonWebKeySet(
            await client.GetStringAsync(new Uri(Endpoint.Keys, UriKind.Relative), World.Cancellation));
        return await new JsonWebTokenHandler().ValidateTokenAsync(token, new()
        {
            IssuerSigningKeys = keys.GetSigningKeys(),
            // Otherwise the handler tries every key on a token that names an unknown key.
            TryAllIssuerSigningKeys = false,
            ValidAlgorithms = ["RS256"],
            ValidIssuer = provider.Address.AbsoluteUri,
            ValidAudience = audience,
            ValidTypes = type is null ? null : [type],
        });
    }

    private async Task<Exception?> WrongAsync(string token) =>
        (await ValidateAsync(_provider, token, IdentityProvider.Audience, "at+jwt")).Exception;
}
