using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Gateway.Tests.Infrastructure.Identity;

public sealed class IdentityProviderTests : IAsyncLifetime
{
    private static readonly Uri Gateway = new("https://localhost:12345/");
    private static readonly Uri Callback = new(Gateway, "bff/callback");

    private readonly IdentityProvider _provider = new();
    private readonly RelyingParty _client;

    public IdentityProviderTests() => _client = new RelyingParty(_provider, Callback);

    public async ValueTask InitializeAsync()
    {
        _provider.Register(Gateway);
        await _provider.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task The_discovery_document_lists_endpoints_and_capabilities()
    {
        var document = await _client.JsonAsync(Endpoint.Discovery);

        Assert.Equal(_provider.Address.AbsoluteUri, Text("issuer"));
        Assert.Equal(new Uri(_provider.Address, Endpoint.Authorization).AbsoluteUri, Text("authorization_endpoint"));
        Assert.Equal(new Uri(_provider.Address, Endpoint.Token).AbsoluteUri, Text("token_endpoint"));
        Assert.Equal(new Uri(_provider.Address, Endpoint.UserInfo).AbsoluteUri, Text("userinfo_endpoint"));
        Assert.Equal(new Uri(_provider.Address, Endpoint.EndSession).AbsoluteUri, Text("end_session_endpoint"));
        Assert.Equal(new Uri(_provider.Address, Endpoint.Keys).AbsoluteUri, Text("jwks_uri"));
        Assert.Equal(["code"], Texts("response_types_supported"));
        Assert.Contains("query", Texts("response_modes_supported"));
        Assert.Equal(["S256"], Texts("code_challenge_methods_supported"));
        Assert.Equal(["RS256"], Texts("id_token_signing_alg_values_supported"));
        Assert.True(document.GetProperty("backchannel_logout_session_supported").GetBoolean());
        Assert.Equal((1, 0), (_provider.Ledger.DiscoveryRequests, _provider.Ledger.KeyRequests));

        string? Text(string name) => document.GetProperty(name).GetString();
        string?[] Texts(string name) => [.. document.GetProperty(name).EnumerateArray().Select(one => one.GetString())];
    }

    [Fact]
    public async Task Keys_rotate_and_the_old_key_may_stay_published()
    {
        var first = _provider.Keys.Current.KeyId;
        Assert.Equal([first], await PublishedAsync());

        _provider.RotateSigningKey();
        var second = _provider.Keys.Current.KeyId;
        Assert.Equal([second, first], await PublishedAsync());

        _provider.RotateSigningKey(keepOld: false);
        Assert.Equal([_provider.Keys.Current.KeyId], await PublishedAsync());
        Assert.Equal(3, _provider.Ledger.KeyRequests);
    }

    [Fact]
    public async Task A_rotation_changes_the_signing_key_and_keeps_older_refresh_tokens_valid()
    {
        var (_, tokens) = await _client.RedeemAsync(await _client.CodeAsync("alice"));
        _provider.RotateSigningKey(keepOld: false);

        var (status, fresh) = await _client.RefreshAsync(Text(tokens, "refresh_token"));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(_provider.Keys.Current.KeyId, Read(fresh, "id_token").Kid);
        Assert.Equal(_provider.Keys.Current.KeyId, Read(fresh, "access_token").Kid);
        Assert.NotEqual(_provider.Keys.Current.KeyId, Read(tokens, "id_token").Kid);
    }

    [Fact]
    public async Task A_login_issues_tokens_with_the_claims_of_the_user()
    {
        var (status, tokens) = await _client.RedeemAsync(await _client.CodeAsync("carol"));

        Assert.Equal(HttpStatusCode.OK, status);
        var id = await JwtTests.ValidateAsync(_provider, Text(tokens, "id_token"), IdentityProvider.ClientId);
        Assert.True(id.IsValid, id.Exception?.Message);
        var claims = Claims(tokens, "id_token");
        Assert.Equal("subject-of-carol", Text(claims, "sub"));
        Assert.Equal("Carol Curie", Text(claims, "name"));
        Assert.Equal("carol", Text(claims, "preferred_username"));
        Assert.Equal("carol@example.test", Text(claims, "email"));
        Assert.Equal("a-nonce", Text(claims, "nonce"));
        Assert.Equal(["survey", "mapping"], Groups(claims));
        Assert.True(_provider.Logins.IsActive(Text(claims, "sid")));

        var access = await JwtTests.ValidateAsync(_provider, Text(tokens, "access_token"), IdentityProvider.Audience);
        Assert.True(access.IsValid, access.Exception?.Message);
        Assert.Equal("at+jwt", Read(tokens, "access_token").Typ);
        Assert.Equal(["survey", "mapping"], Groups(Claims(tokens, "access_token")));

        Assert.Equal([Text(tokens, "id_token"), Text(tokens, "access_token"), Text(tokens, "refresh_token")],
            _provider.Ledger.Tokens);
        Assert.Equal([new("authorization_code", IdentityProvider.ClientId, null)], _provider.Ledger.TokenCalls);
    }

    [Theory]
    [InlineData("alice", "mapping")]
    [InlineData("dave")]
    public async Task Groups_are_an_array_for_any_number_of_groups(string user, params string[] groups)
    {
        var (_, tokens) = await _client.RedeemAsync(await _client.CodeAsync(user));
        Assert.Equal(groups, Groups(Claims(tokens, "id_token")));
        Assert.Equal(groups, Groups(Claims(tokens, "access_token")));
    }

    [Fact]
    public async Task An_access_token_gives_access_to_the_user_info()
    {
        var (_, tokens) = await _client.RedeemAsync(await _client.CodeAsync("alice"));
        using var client = new HttpClient { BaseAddress = _provider.Address };
        client.DefaultRequestHeaders.Authorization = new("Bearer", Text(tokens, "access_token"));
        var info = JsonElement.Parse(
            await client.GetStringAsync(new Uri(Endpoint.UserInfo, UriKind.Relative), World.Cancellation));
        Assert.Equal("subject-of-alice", Text(info, "sub"));
        Assert.Equal(["mapping"], Groups(info));

        using var refused = await _client.GetAsync(Endpoint.UserInfo);
        Assert.NotEqual(HttpStatusCode.OK, refused.StatusCode);
    }

    [Theory]
    [InlineData("code_challenge", null)]
    [InlineData("code_challenge_method", "plain")]
    [InlineData("redirect_uri", "https://localhost:12345/bff/callback/")]
    [InlineData("redirect_uri", "https://127.0.0.1:12345/bff/callback")]
    [InlineData("redirect_uri", null)]
    [InlineData("client_id", "another")]
    [InlineData("response_type", "token")]
    public async Task An_invalid_authorization_request_is_refused_without_a_redirect(string parameter, string? value)
    {
        var request = _client.Request();
        request[parameter] = value;
        if (parameter == "code_challenge") request.Remove("code_challenge_method");
        using var answer = await _client.GetAsync(RelyingParty.Url(request));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Empty(_provider.Ledger.Codes);
    }

    [Fact]
    public async Task A_code_is_valid_once_and_only_with_its_verifier()
    {
        var code = await _client.CodeAsync("alice");
        Assert.Equal((HttpStatusCode.BadRequest, "invalid_grant"),
            Error(await _client.RedeemAsync(code, verifier: new string('x', 43))));
        Assert.Equal(HttpStatusCode.OK, (await _client.RedeemAsync(code)).Status);
        Assert.Equal((HttpStatusCode.BadRequest, "invalid_grant"), Error(await _client.RedeemAsync(code)));
        Assert.Equal([code], _provider.Ledger.Codes);
        Assert.Equal(["invalid_grant", null, "invalid_grant"], _provider.Ledger.TokenCalls.Select(call => call.Error));
    }

    [Fact]
    public async Task A_client_must_present_its_secret()
    {
        var code = await _client.CodeAsync("alice");
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_client"),
            Error(await _client.RedeemAsync(code, secret: "wrong")));
        Assert.Equal(HttpStatusCode.OK, (await _client.RedeemAsync(code)).Status);
    }

    [Theory]
    [InlineData(IdentityProvider.ServiceId, "wrong")]
    [InlineData(IdentityProvider.ClientId, IdentityProvider.ClientSecret)]
    public async Task Only_a_service_may_use_client_credentials(string id, string secret)
    {
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["client_id"] = id,
            ["client_secret"] = secret
        };
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_client"), Error(await _client.TokenAsync(form)));
    }

    [Fact]
    public async Task A_service_gets_an_access_token_with_its_groups()
    {
        var (status, tokens) = await _client.TokenAsync(new()
        {
            ["grant_type"] = "client_credentials",
            ["client_id"] = IdentityProvider.ServiceId,
            ["client_secret"] = IdentityProvider.ServiceSecret,
        });
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(IdentityProvider.ServiceId, Text(Claims(tokens, "access_token"), "sub"));
        Assert.Equal(["survey"], Groups(Claims(tokens, "access_token")));
        Assert.False(tokens.TryGetProperty("refresh_token", out _));
    }

    [Fact]
    public async Task A_refresh_issues_tokens_of_the_same_session_with_the_current_groups()
    {
        var (_, first) = await _client.RedeemAsync(await _client.CodeAsync("alice"));
        _provider.Users["alice"] = User.Alice with { Groups = ["survey"] };

        var (_, second) = await _client.RefreshAsync(Text(first, "refresh_token"));

        Assert.Equal(["survey"], Groups(Claims(second, "id_token")));
        Assert.Equal(Text(Claims(first, "id_token"), "sid"), Text(Claims(second, "id_token"), "sid"));
        Assert.NotEqual(Text(first, "refresh_token"), Text(second, "refresh_token"));
        Assert.Equal("invalid_grant", Error(await _client.RefreshAsync(Text(first, "refresh_token"))).Error);
    }

    [Fact]
    public async Task A_signed_in_user_is_not_asked_again_until_the_session_ends()
    {
        var (_, first) = await _client.RedeemAsync(await _client.CodeAsync("alice"));
        using var silent = await _client.GetAsync(RelyingParty.Url(_client.Request()));
        var (_, second) = await _client.RedeemAsync(_client.CodeOf(silent));
        var session = Text(Claims(second, "id_token"), "sid");
        Assert.Equal(Text(Claims(first, "id_token"), "sid"), session);

        var hint = Text(second, "id_token");
        var back = $"{Gateway}bff/logged-out";
        using var ended = await _client.GetAsync(
            $"{Endpoint.EndSession}?id_token_hint={hint}&post_logout_redirect_uri={Uri.EscapeDataString(back)}"
            + $"&state=s1");
        Assert.Equal($"{back}?state=s1", ended.Headers.Location?.AbsoluteUri);
        Assert.Equal([new(hint, back, "s1", session)], _provider.Ledger.EndSessionCalls);

        Assert.Equal("invalid_grant", Error(await _client.RefreshAsync(Text(second, "refresh_token"))).Error);
        var (_, third) = await _client.RedeemAsync(await _client.CodeAsync("bob"));
        Assert.NotEqual(session, Text(Claims(third, "id_token"), "sid"));
    }

    [Fact]
    public async Task A_logout_does_not_redirect_to_an_unregistered_address()
    {
        using var answer = await _client.GetAsync(
            $"{Endpoint.EndSession}?post_logout_redirect_uri=https%3A%2F%2Felsewhere.test%2F");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        using var bare = await _client.GetAsync(Endpoint.EndSession);
        Assert.Equal(HttpStatusCode.OK, bare.StatusCode);
    }

    [Fact]
    public async Task The_prompt_parameter_forces_or_forbids_the_login_page()
    {
        var request = _client.Request();
        request["prompt"] = "none";
        using var refused = await _client.GetAsync(RelyingParty.Url(request));
        Assert.Contains("error=login_required", refused.Headers.Location?.Query, StringComparison.Ordinal);

        await _client.CodeAsync("alice");
        request["prompt"] = "login";
        using var asked = await _client.GetAsync(RelyingParty.Url(request));
        Assert.Equal(HttpStatusCode.OK, asked.StatusCode);
    }

    [Fact]
    public async Task A_restarted_provider_keeps_its_address_and_state()
    {
        var (_, tokens) = await _client.RedeemAsync(await _client.CodeAsync("alice"));
        await _provider.StopAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => _client.GetAsync(Endpoint.Discovery));

        var watch = Stopwatch.StartNew();
        await _provider.StartAsync();
        Assert.Equal([_provider.Keys.Current.KeyId], await PublishedAsync());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1) + Promptness.Grace, $"It took {watch.Elapsed}.");
        Assert.Equal(HttpStatusCode.OK, (await _client.RefreshAsync(Text(tokens, "refresh_token"))).Status);
    }

    [Fact]
    public async Task Tokens_use_the_clock_of_the_test()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await using var provider = await IdentityProvider.StartedAsync(clock);
        provider.Register(Gateway);
        using var client = new RelyingParty(provider, Callback);

        var (_, tokens) = await client.RedeemAsync(await client.CodeAsync("alice"));

        Assert.Equal(clock.GetUtcNow().ToUnixTimeSeconds(), Claims(tokens, "id_token").GetProperty("iat").GetInt64());
        Assert.Equal(clock.GetUtcNow().AddMinutes(5).ToUnixTimeSeconds(), Claims(tokens, "access_token")
            .GetProperty("exp").GetInt64());
    }

    private async Task<string?[]> PublishedAsync()
    {
        var keys = (await _client.JsonAsync(Endpoint.Keys)).GetProperty("keys").EnumerateArray().ToArray();
        Assert.All(keys, key => Assert.Equal("RSA", Text(key, "kty")));
        Assert.All(keys, key => Assert.False(key.TryGetProperty("d", out _)));
        return [.. keys.Select(key => Text(key, "kid"))];
    }

    private static (HttpStatusCode Status, string? Error) Error((HttpStatusCode Status, JsonElement Body) answer) =>
        (answer.Status, answer.Body.TryGetProperty("error", out var error) ? error.GetString() : null);

    private static JsonWebToken Read(JsonElement tokens, string which) => new(Text(tokens, which));

    private static JsonElement Claims(JsonElement tokens, string which) =>
        JsonElement.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(Read(tokens, which).EncodedPayload));

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static string?[] Groups(JsonElement claims) =>
        [.. claims.GetProperty("groups").EnumerateArray().Select(one => one.GetString())];
}
