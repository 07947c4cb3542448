using System.Net;
using System.Security.Cryptography;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>Tests logins and logouts with a certified OpenID Connect provider.</summary>
public sealed class CertifiedProviderTests : IAsyncLifetime
{
    private readonly CertifiedProvider _provider = new();
    private World? _world;

    private Uri Gateway => _world!.Gateway.Address;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_world is not null) await _world.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Theory]
    [InlineData("client_secret_basic", "", false)]
    [InlineData("client_secret_basic", "client_secret_basic", true)]
    [InlineData("client_secret_post", "client_secret_post", false)]
    [InlineData("client_secret_post", "client_secret_post", true)]
    public async Task The_gateway_authenticates_by_its_secret(string registered, string configured, bool isPushed)
    {
        _provider.Client["token_endpoint_auth_method"] = registered;
        Push(isPushed);
        await StartAsync(("Authentication:Oidc:ClientAuthentication", configured));
        using var visitor = Visitor.Of(_provider.Listens);

        using var landed = await _provider.LogInAsync(visitor, Gateway);

        Assert.Equal("/app", landed.Headers.Location?.ToString());
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(Gateway, "harbour"));
    }

    [Theory]
    [InlineData("RS256", false, "")]
    [InlineData("ES256", true, "key-1")]
    public async Task The_gateway_authenticates_by_its_key(string algorithm, bool isPushed, string id)
    {
        using var key = algorithm == "RS256" ? (AsymmetricAlgorithm)RSA.Create(2048)
            : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, key.ExportPkcs8PrivateKeyPem(), World.Cancellation);
        var published = key is RSA rsa
            ? JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(rsa.ExportParameters(false)))
            : JsonWebKeyConverter.ConvertFromECDsaSecurityKey(
                new ECDsaSecurityKey(ECDsa.Create(((ECDsa)key).ExportParameters(false))));
        _provider.Client["token_endpoint_auth_method"] = "private_key_jwt";
        _provider.Client["token_endpoint_auth_signing_alg"] = algorithm;
        _provider.Client["jwks"] = new { keys = new[] { Public(published, algorithm, id) } };
        Push(isPushed);
        await StartAsync(("Authentication:Oidc:ClientSecret", ""), ("Authentication:Oidc:ClientKeyFile", file),
            ("Authentication:Oidc:ClientKeyId", id));
        using var visitor = Visitor.Of(_provider.Listens);

        using var landed = await _provider.LogInAsync(visitor, Gateway);

        Assert.True(landed.Headers.Location?.ToString() == "/app", _provider.Output);
        File.Delete(file);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_client_secret_is_a_misconfiguration_that_the_log_explains(bool isPushed)
    {
        Push(isPushed);
        await StartAsync(("Authentication:Oidc:ClientSecret", "another-secret"));
        using var visitor = Visitor.Of(_provider.Listens);

        using var begun = await visitor.GetAsync(new Uri(Gateway, "bff/login"));
        using var answer = isPushed ? begun
            : await visitor.GetAsync(await _provider.AuthorizeAsync(visitor, begun.Headers.Location!, "alice"));

        await AssertMisconfiguredAsync(answer, "invalid_client", "Authentication:Oidc:ClientSecret");
    }

    [Fact]
    public async Task A_redirect_address_that_the_provider_refuses_is_a_misconfiguration_that_the_log_explains()
    {
        Push(true);
        await StartAsync();
        _provider.Register(new Uri("https://another.example.com/"));
        await _provider.StopAsync();
        await _provider.StartAsync();
        using var visitor = Visitor.Of(_provider.Listens);

        using var answer = await visitor.GetAsync(new Uri(Gateway, "bff/login"));

        await AssertMisconfiguredAsync(answer, "redirect_uri", "ForwardedHeaders");
    }

    [Theory]
    [InlineData("/me", 403, "identity-misconfigured", "Authentication:Oidc:UserInfo")]
    [InlineData("/me", 503, "identity-unavailable", "user info endpoint answered 503")]
    [InlineData("/token", 500, "identity-unavailable", "token endpoint answered 500")]
    [InlineData("/token", 429, "identity-unavailable", "token endpoint answered 429")]
    public async Task An_endpoint_that_fails_is_away_and_one_that_refuses_is_a_misconfiguration(
        string path, int status, string type, string reason)
    {
        _provider.Fail(path, status);
        await StartAsync();
        using var visitor = Visitor.Of(_provider.Listens);

        using var answer = await _provider.LogInAsync(visitor, Gateway);

        Assert.Equal($"/problems/{type}", await BoundTests.ProblemTypeAsync(answer));
        Assert.Contains(_world!.Gateway.Log.All, line => line.Contains(reason, StringComparison.Ordinal));
        Assert.Null(visitor.Session);
    }

    [Fact]
    public async Task Without_user_info_a_login_needs_only_the_ID_token()
    {
        _provider.Fail("/me", 403);
        await StartAsync(("Authentication:Oidc:UserInfo", "false"));
        using var visitor = Visitor.Of(_provider.Listens);

        using var landed = await _provider.LogInAsync(visitor, Gateway);

        Assert.Equal("/app", landed.Headers.Location?.ToString());
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(Gateway));
    }

    [Fact]
    public async Task A_user_who_cancels_is_told_so_and_can_log_in_then()
    {
        await StartAsync();
        using var visitor = Visitor.Of(_provider.Listens);
        using var begun = await visitor.GetAsync(new Uri(Gateway, "bff/login"));

        using var answer = await visitor.GetAsync(await _provider.CancelAsync(visitor, begun.Headers.Location!));

        Assert.Equal("/problems/login-cancelled", await BoundTests.ProblemTypeAsync(answer));
        using var landed = await _provider.LogInAsync(visitor, Gateway);
        Assert.Equal("/app", landed.Headers.Location?.ToString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_logout_at_the_provider_names_the_ID_token_if_configured(bool hint)
    {
        await StartAsync(("Authentication:Oidc:IdTokenHint", $"{hint}"));
        using var visitor = Visitor.Of(_provider.Listens);
        using var landed = await _provider.LogInAsync(visitor, Gateway);

        var answer = await visitor.LogOutAsync(Gateway, "?returnUrl=/bye");
        var logout = new Uri(answer.GetProperty("logoutUrl").GetString()!);
        using var page = await visitor.GetAsync(logout);

        Assert.Equal(hint, logout.Query.Contains("id_token_hint=", StringComparison.Ordinal));
        // The provider refuses a hint that it did not make.
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("op.logoutForm", await page.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_gateway_reaches_the_provider_by_another_name_than_browsers_do()
    {
        // Browsers would reach the provider through a proxy with this name.
        _provider.Issuer = "https://login.example.com";
        await StartAsync(("Authentication:Oidc:InternalAddress", _provider.Listens.AbsoluteUri));
        using var visitor = Visitor.Of(_provider.Listens);

        using var begun = await visitor.GetAsync(new Uri(Gateway, "bff/login?returnUrl=/app"));
        var authorize = begun.Headers.Location!;
        var back = await _provider.AuthorizeAsync(visitor, new Uri(_provider.Listens, authorize.PathAndQuery), "alice");
        using var landed = await visitor.GetAsync(back);
        var logout = await visitor.LogOutAsync(Gateway);

        Assert.Equal("https://login.example.com", authorize.GetLeftPart(UriPartial.Authority));
        Assert.Equal("/app", landed.Headers.Location?.ToString());
        Assert.StartsWith("https://login.example.com/", logout.GetProperty("logoutUrl").GetString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_issuer_at_the_internal_address_is_refused()
    {
        await StartAsync(("Authentication:Oidc:Authority", "https://login.example.com"),
            ("Authentication:Oidc:InternalAddress", _provider.Listens.AbsoluteUri));
        using var visitor = Visitor.Of(_provider.Listens);

        using var begun = await visitor.GetAsync(new Uri(Gateway, "bff/login"));

        Assert.Equal("/problems/identity-misconfigured", await BoundTests.ProblemTypeAsync(begun));
        Assert.Contains(_world!.Gateway.Log.All, line => line.Contains(
            "the authority must be its issuer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_provider_that_signs_ID_tokens_by_EdDSA_is_refused_before_the_login()
    {
        _provider.Client["id_token_signed_response_alg"] = "EdDSA";
        _provider.RemoveKeys();
        await StartAsync();
        using var visitor = Visitor.Of(_provider.Listens);

        using var begun = await visitor.GetAsync(new Uri(Gateway, "bff/login"));

        await AssertMisconfiguredAsync(begun, "EdDSA", "the gateway accepts RS256");
    }

    [Fact]
    public async Task An_ID_token_by_EdDSA_of_a_provider_that_also_has_other_keys_is_refused()
    {
        _provider.Client["id_token_signed_response_alg"] = "EdDSA";
        await StartAsync();
        using var visitor = Visitor.Of(_provider.Listens);

        using var answer = await _provider.LogInAsync(visitor, Gateway);

        await AssertMisconfiguredAsync(answer, "the algorithm of ID tokens");
        Assert.Null(visitor.Session);
    }

    [Fact]
    public async Task A_login_with_a_new_signing_key_succeeds_after_a_roll_over()
    {
        _world = await World.StopClockAsync(_provider.Settings());
        _provider.Register(Gateway);
        await _provider.StartAsync();
        using var visitor = Visitor.Of(_provider.Listens);
        using var first = await _provider.LogInAsync(visitor, Gateway);
        await _provider.StopAsync();
        _provider.AddKey();
        _provider.RemoveOldKeys();
        await _provider.StartAsync();

        // The gateway asks for new keys once in five seconds.
        using var soon = await _provider.LogInAsync(visitor, Gateway, "bob");
        Assert.Equal("/app", soon.Headers.Location?.ToString());
        Assert.Contains(_world.Gateway.Log.All,
            line => line.Contains("signed by an unknown key", StringComparison.Ordinal));
        _world.Clock!.Advance(TimeSpan.FromSeconds(6));
        using var other = Visitor.Of(_provider.Listens);
        using var landed = await _provider.LogInAsync(other, Gateway, "bob");

        Assert.Equal("/app", landed.Headers.Location?.ToString());
        Assert.Equal(HttpStatusCode.OK, await other.StatusAsync(Gateway));
    }

    private async Task StartAsync(params (string Key, string? Value)[] settings)
    {
        _world = await World.StartAsync(_provider.Settings(settings));
        _provider.Register(Gateway);
        await _provider.StartAsync();
    }

    private void Push(bool isPushed) => _provider.Features["pushedAuthorizationRequests"] =
        new { enabled = isPushed, requirePushedAuthorizationRequests = isPushed };

    private async Task AssertMisconfiguredAsync(HttpResponseMessage answer, params string[] words)
    {
        Assert.Equal("/problems/identity-misconfigured", await BoundTests.ProblemTypeAsync(answer));
        Assert.Null(answer.Headers.RetryAfter);
        Assert.Contains(_world!.Gateway.Log.All,
            line => words.All(word => line.Contains(word, StringComparison.Ordinal)));
    }

    private static Dictionary<string, string> Public(JsonWebKey key, string algorithm, string id)
    {
        var all = new Dictionary<string, string?>
        {
            ["kty"] = key.Kty,
            ["n"] = key.N,
            ["e"] = key.E,
            ["crv"] = key.Crv,
            ["x"] = key.X,
            ["y"] = key.Y,
            ["use"] = "sig",
            ["alg"] = algorithm,
            ["kid"] = id.Length > 0 ? id : Base64UrlEncoder.Encode(key.ComputeJwkThumbprint()),
        };
        return all.Where(pair => pair.Value is not null).ToDictionary(pair => pair.Key, pair => pair.Value!);
    }
}
