using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>Tests JWTs over real sockets, signed with the keys of an identity provider.</summary>
public sealed class TokenTests : IAsyncLifetime
{
    private const string Challenge = "Bearer realm=\"gateway\", error=\"invalid_token\", error_description=";

    private IdentityProvider _provider = null!;
    private World _world = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await IdentityProvider.StartedAsync();
        _world = await UserWorld.StopClockAsync(_provider, ("Authentication:FailedAttempts", "0"));
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task A_valid_token_has_the_permissions_of_the_team_in_its_claims()
    {
        Assert.Equal((200, ""), await AskAsync(_provider.AccessToken()));
        Assert.Equal((200, ""), await AskAsync(_provider.AccessToken("bob")));
        Assert.Equal((403, "/problems/workflow-forbidden"), await AskAsync(_provider.AccessToken("bob"), "harbour"));
        Assert.Equal((403, "/problems/no-team"), await AskAsync(_provider.AccessToken("dave")));
    }

    [Fact]
    public async Task Every_common_form_of_token_is_accepted()
    {
        foreach (var type in (string[])["JWT", "jwt", "at+jwt", "application/at+jwt", ""])
        {
            Assert.Equal((200, ""), await AskAsync(_provider.AccessToken(change: jwt => jwt with { Type = type })));
        }
        string[] audiences = ["another-api", IdentityProvider.Audience];
        Assert.Equal((200, ""),
            await AskAsync(_provider.AccessToken(change: jwt => jwt with { Audience = audiences })));
        Assert.Equal((200, ""),
            await AskAsync(_provider.AccessToken(change: jwt => jwt with { NotBefore = null, IssuedAt = null })));
        Assert.Equal((200, ""), await AskAsync(_provider.AccessToken(change: jwt => jwt with { KeyId = null })));
        foreach (var algorithm in (string[])["RS384", "RS512", "PS256", "PS384", "PS512"])
        {
            Assert.Equal((200, ""),
                await AskAsync(_provider.AccessToken(change: jwt => jwt with { Algorithm = algorithm })));
        }
    }

    private static readonly Dictionary<string, string> Wrong = new()
    {
        { "expired", "The token has expired" },
        { "not yet valid", "The token is not valid yet" },
        { "without an expiry", "The token is for another purpose" },
        { "wrong audience", "The token is for another audience" },
        { "no audience", "The token is for another audience" },
        { "wrong issuer", "The token was issued by another provider" },
        { "no issuer", "The token was issued by another provider" },
        { "alg none", "The token is not signed by RS, PS or ES with SHA-2" },
        { "alg nOnE", "The token is not signed by RS, PS or ES with SHA-2" },
        { "HMAC with the public key as PEM", "The token is not signed by RS, PS or ES with SHA-2" },
        { "HMAC with the public key as DER", "The token is not signed by RS, PS or ES with SHA-2" },
        { "alg EdDSA", "The token is not signed by RS, PS or ES with SHA-2" },
        { "a foreign key with a known key ID", "The token is not signed by a key of its provider" },
        { "a foreign key with an unknown key ID", "The token is not signed by a key of its provider" },
        { "a foreign key without a key ID", "The token is not signed by a key of its provider" },
        { "another type of key with a known key ID", "The token is not signed by a key of its provider" },
        { "tampered with", "The token is not signed by a key of its provider" },
        { "without its signature", "The token is not signed by a key of its provider" },
        { "a logout token", "The token is for another purpose" },
        { "bound to a key of the sender", "The token is for another purpose" },
        { "for a similar audience", "The token is for another audience" },
        { "critical extension", "The token is not a JWT that can be used here" },
        { "not JSON", "The token is not a JWT that can be used here" },
        { "five parts", "The token is not a JWT that can be used here" },
        { "encrypted", "The token is encrypted" },
        { "encrypted for a key", "The token is encrypted" },
        { "encrypted by its shape", "The token is encrypted" },
    };

    [Fact]
    public async Task An_invalid_token_is_401_and_the_challenge_says_why()
    {
        foreach (var (what, description) in Wrong)
        {
            // Advance past the minimum interval between key refreshes, so that an unknown key is looked up.
            _world.Clock!.Advance(TimeSpan.FromSeconds(6));
            using var answer = await GetAsync(Make(what));
            Assert.Equal((what, HttpStatusCode.Unauthorized), (what, answer.StatusCode));
            Assert.Equal((what, $"{Challenge}\"{description}\""), (what, answer.Headers.WwwAuthenticate.ToString()));
            Assert.Equal("/problems/unauthenticated", await BoundTests.ProblemTypeAsync(answer));
        }
        Assert.Equal(0, _world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_small_clock_skew_is_tolerated_and_a_large_one_is_not()
    {
        var now = DateTimeOffset.UtcNow;
        Assert.Equal(200,
            (await AskAsync(_provider.AccessToken(change: jwt => jwt with { NotBefore = now.AddSeconds(20) }))).Status);
        Assert.Equal(401,
            (await AskAsync(_provider.AccessToken(change: jwt => jwt with { NotBefore = now.AddSeconds(60) }))).Status);
        Assert.Equal(200,
            (
                await AskAsync(_provider.AccessToken(
                    change: jwt => jwt with { NotBefore = now.AddHours(-1), Expires = now.AddSeconds(-15) }))).Status);
        Assert.Equal(401,
            (
                await AskAsync(_provider.AccessToken(
                    change: jwt => jwt with { NotBefore = now.AddHours(-1), Expires = now.AddSeconds(-45) }))).Status);
    }

    [Fact]
    public async Task A_forged_token_counts_as_a_failed_attempt_and_an_expired_one_does_not()
    {
        _world.Gateway.Reconfigure(("Authentication:FailedAttempts", "2"));
        foreach (var what in (string[])["expired", "wrong audience", "wrong issuer", "not yet valid", "encrypted"])
        {
            Assert.Equal(401, (await AskAsync(Make(what))).Status);
        }
        Assert.Equal(401, (await AskAsync(Make("alg none"))).Status);
        Assert.Equal(401, (await AskAsync(Make("a foreign key with a known key ID"))).Status);
        Assert.Equal((429, "/problems/too-many-attempts"), await AskAsync(Make("not JSON")));
    }

    [Theory]
    [InlineData(3_000, null)]
    [InlineData(23_000, null)]
    [InlineData(270_000, "524288")]
    public async Task A_token_is_accepted_up_to_the_header_limit_of_the_server(int size, string? limit)
    {
        await using var world = await UserWorld.StartAsync(_provider, ("Server:MaxRequestHeadersBytes", limit));
        var token = _provider.AccessToken(change: jwt => jwt.With("padding", new string('x', size)));
        Assert.InRange(token.Length, size * 4 / 3, int.Parse(limit ?? "32768", CultureInfo.InvariantCulture) - 200);
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Large_forged_tokens_are_failed_attempts()
    {
        _world.Gateway.Reconfigure(("Authentication:FailedAttempts", "2"));
        for (var i = 0; i < 4; i++)
        {
            var size = 20_000 + i;
            var token = _provider.AccessToken(
                change: jwt => (jwt with { Key = SigningKeys.NewKey() }).With("padding", new string('x', size)));
            Assert.Equal(i < 2 ? 401 : 429, (await AskAsync(token)).Status);
        }
    }

    [Fact]
    public async Task A_token_above_the_header_limit_of_the_server_is_431()
    {
        using var answer = await GetAsync(
            _provider.AccessToken(change: jwt => jwt.With("padding", new string('x', 30_000))));
        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task A_token_is_accepted_only_with_the_Bearer_scheme()
    {
        using var own = await _world.GetAsync("finished-1", key: _provider.AccessToken());
        Assert.Equal(HttpStatusCode.Unauthorized, own.StatusCode);
        using var client = _world.Gateway.Client(("Authorization", _provider.AccessToken()));
        using var bare = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.Unauthorized, bare.StatusCode);
    }

    [Fact]
    public async Task An_imported_key_may_look_like_a_token()
    {
        var key = _provider.AccessToken("dave").Split('.')[1] + ".x.y";
        _world.Gateway.Reconfigure(
            ("Teams:mapping:ApiKeys:1:Id", "elsewhere"), ("Teams:mapping:ApiKeys:1:Sha256", World.Sha256(key)));
        Assert.Equal((200, ""), await AskAsync(key));
    }

    private string Make(string what)
    {
        var now = DateTimeOffset.UtcNow;
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Func<Jwt, Jwt> change = what switch
        {
            "expired" => jwt => jwt with { NotBefore = now.AddHours(-2), Expires = now.AddHours(-1) },
            "not yet valid" => jwt => jwt with { NotBefore = now.AddHours(1), Expires = now.AddHours(2) },
            "without an expiry" => jwt => jwt with { Expires = null },
            "wrong audience" => jwt => jwt with { Audience = "another-api" },
            "no audience" => jwt => jwt with { Audience = null },
            "wrong issuer" => jwt => jwt with { Issuer = "http://127.0.0.1:1/" },
            "no issuer" => jwt => jwt with { Issuer = null },
            "alg none" => jwt => jwt.Unsigned(),
            "alg nOnE" => jwt => jwt.Unsigned("nOnE"),
            "HMAC with the public key as PEM" => jwt =>
                jwt with { Key = SigningKeys.PublicPem(_provider.Keys.Current), Algorithm = "HS256" },
            "HMAC with the public key as DER" => jwt =>
                jwt with { Key = SigningKeys.PublicDer(_provider.Keys.Current), Algorithm = "HS256" },
            "a foreign key with a known key ID" => jwt => jwt with { Key = SigningKeys.NewKey() },
            "a foreign key with an unknown key ID" => jwt => jwt with { Key = SigningKeys.NewKey(), KeyId = "nobodys" },
            "a foreign key without a key ID" => jwt => jwt with { Key = SigningKeys.NewKey(), KeyId = null },
            "another type of key with a known key ID" => jwt =>
                jwt with { Key = new ECDsaSecurityKey(curve), Algorithm = "ES256" },
            "bound to a key of the sender" => jwt => jwt.With("cnf", new { jkt = "x" }),
            "for a similar audience" => jwt => jwt with { Audience = IdentityProvider.Audience + "/" },
            "a logout token" => jwt => jwt with { Type = "logout+jwt" },
            _ => jwt => jwt,
        };
        var token = _provider.AccessToken(change: change);
        return what switch
        {
            "tampered with" => Jwt.Tamper(token, "groups", User.Bob.Groups),
            "without its signature" => token[..(token.LastIndexOf('.') + 1)],
            "critical extension" => WithHeader("""{"alg":"RS256","typ":"JWT","crit":["exp"]}""", token),
            "not JSON" => "a.b.c",
            "five parts" => "a.b.c.d.e",
            "alg EdDSA" => WithHeader("""{"alg":"EdDSA","typ":"JWT"}""", token),
            "encrypted" => Encrypted("""{"alg":"dir","enc":"A256GCM","iss":"https://provider.invalid/"}""", key: ""),
            "encrypted for a key" => Encrypted("""{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}""", key: "AAAA"),
            "encrypted by its shape" => Encrypted("""{"alg":"RS256"}""", key: "AAAA"),
            _ => token,
        };
    }

    private static string WithHeader(string header, string token) => $"{Encode(header)}.{token.Split('.', 2)[1]}";

    // Five parts (RFC 7516, section 7.1).
    private static string Encrypted(string header, string key) => $"{Encode(header)}.{key}.AAAAAAAAAAAAAAAA.AAAA.AAAA";

    private static string Encode(string text) =>
        System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes(text));

    private async Task<(int Status, string Type)> AskAsync(string token, string workflow = "survey-1")
    {
        using var answer = await GetAsync(token, workflow);
        return ((int)answer.StatusCode, answer.IsSuccessStatusCode ? "" : await BoundTests.ProblemTypeAsync(answer));
    }

    private async Task<HttpResponseMessage> GetAsync(string token, string workflow = "survey-1")
    {
        using var client = _world.Gateway.Client(("Authorization", $"Bearer {token}"));
        return await client.GetAsync(
            new Uri($"v0/workflows/{workflow}/jobs/finished-1", UriKind.Relative), World.Cancellation);
    }
}
