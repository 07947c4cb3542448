using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>Tests tokens and keys while the identity provider is unavailable or changes its signing keys.</summary>
public sealed class ProviderTests
{
    [Fact]
    public async Task The_gateway_starts_and_accepts_keys_while_the_provider_is_unavailable()
    {
        await using var provider = new IdentityProvider();
        await using var world = await UserWorld.StartAsync(provider);
        using var byKey = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, byKey.StatusCode);

        using var byToken = await GetAsync(world, provider.AccessToken());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, byToken.StatusCode);
        Assert.Equal("/problems/identity-unavailable", await BoundTests.ProblemTypeAsync(byToken));
        Assert.Equal(TimeSpan.FromSeconds(1), byToken.Headers.RetryAfter?.Delta);

        await provider.StartAsync();
        await Wait.UntilAsync(TimeSpan.FromSeconds(5),
            async () => await StatusAsync(world, provider.AccessToken()) == 200, "tokens are accepted");
    }

    [Fact]
    public async Task An_unavailable_provider_is_requested_once_a_second_and_callers_do_not_queue_for_it()
    {
        await using var provider = new IdentityProvider();
        await using var world = await UserWorld.StopClockAsync(provider);
        var watch = Stopwatch.StartNew();
        var statuses = await Task.WhenAll(
            Enumerable.Range(0, 200).Select(_ => StatusAsync(world, provider.AccessToken())));
        Assert.Equal([503], statuses.Distinct());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
        Assert.Equal(1, Asked());

        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(503, await StatusAsync(world, provider.AccessToken()));
        Assert.Equal(2, Asked());

        int Asked() =>
            world.Gateway.Log.All.Count(
                line => line.StartsWith(
                    "Warning Gateway.Callers.Tokens.ProviderConfiguration", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_provider_that_never_responds_delays_only_the_first_requests_by_its_timeout()
    {
        await using var provider = new IdentityProvider();
        using var silent = new TcpListener(IPAddress.Loopback, provider.Address.Port);
        silent.Start();
        await using var world = await UserWorld.StartAsync(provider);

        var (statuses, first) = await AskAsync();
        Assert.Equal([503], statuses.Distinct());
        Assert.InRange(first, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(2) + Promptness.Grace);
        var (later, second) = await AskAsync();
        Assert.Equal([503], later.Distinct());
        Assert.True(second < TimeSpan.FromSeconds(1), $"{second}");

        async Task<(int[], TimeSpan)> AskAsync()
        {
            var watch = Stopwatch.StartNew();
            return (await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => StatusAsync(world, provider.AccessToken()))),
                watch.Elapsed);
        }
    }

    [Fact]
    public async Task Known_signing_keys_remain_valid_while_the_provider_is_unavailable()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken()));
        await provider.StopAsync();
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken("bob")));
    }

    [Fact]
    public async Task Known_signing_keys_remain_valid_after_a_failed_refresh()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        var token = provider.AccessToken(change: jwt => jwt with { Expires = DateTimeOffset.UtcNow.AddHours(2) });
        Assert.Equal(200, await StatusAsync(world, token));
        await provider.StopAsync();
        for (var i = 0; i < 2; i++)
        {
            world.Clock!.Advance(TimeSpan.FromMinutes(21));
            Assert.Equal(200, await StatusAsync(world, token));
        }
        Assert.Contains(world.Gateway.Log.All,
            line => line.Contains("cannot be fetched", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_provider_that_stops_responding_does_not_delay_tokens_signed_by_known_keys()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        var token = provider.AccessToken(change: jwt => jwt with { Expires = DateTimeOffset.UtcNow.AddHours(2) });
        Assert.Equal(200, await StatusAsync(world, token));
        await provider.StopAsync();
        using var silent = new TcpListener(IPAddress.Loopback, provider.Address.Port);
        silent.Start();
        world.Clock!.Advance(TimeSpan.FromMinutes(11));
        var watch = Stopwatch.StartNew();
        var statuses = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => StatusAsync(world, token)));
        Assert.Equal([200], statuses.Distinct());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"{watch.Elapsed}");
    }

    [Fact]
    public async Task The_provider_is_requested_once_for_many_concurrent_tokens()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        var statuses = await Task.WhenAll(
            Enumerable.Range(0, 50).Select(_ => StatusAsync(world, provider.AccessToken())));
        Assert.Equal([200], statuses.Distinct());
        Assert.Equal((1, 1), (provider.Ledger.DiscoveryRequests, provider.Ledger.KeyRequests));
    }

    [Fact]
    public async Task A_new_signing_key_is_fetched_for_the_first_tokens_that_it_signed()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        var old = provider.AccessToken();
        Assert.Equal(200, await StatusAsync(world, old));
        world.Clock!.Advance(TimeSpan.FromSeconds(6));
        provider.RotateSigningKey();

        var statuses = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => StatusAsync(world, provider.AccessToken())));

        Assert.Equal([200], statuses.Distinct());
        Assert.Equal(200, await StatusAsync(world, old));
        Assert.Equal(2, provider.Ledger.KeyRequests);
    }

    [Fact]
    public async Task A_key_rotation_right_after_a_fetch_is_503_and_does_not_count_as_a_failed_attempt()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider, ("Authentication:FailedAttempts", "2"));
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken()));
        provider.RotateSigningKey();
        for (var i = 0; i < 10; i++) Assert.Equal(503, await StatusAsync(world, provider.AccessToken()));
        using var byKey = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, byKey.StatusCode);
        world.Clock!.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken()));
    }

    [Fact]
    public async Task A_token_signed_by_an_unknown_key_is_401_each_time_after_one_key_refresh()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken()));
        var foreign = Foreign(provider);
        world.Clock!.Advance(TimeSpan.FromSeconds(6));
        for (var i = 0; i < 5; i++) Assert.Equal(401, await StatusAsync(world, foreign));
        Assert.Equal(2, provider.Ledger.KeyRequests);
    }

    [Fact]
    public async Task Tokens_with_invented_keys_cause_at_most_one_key_refresh_per_interval()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider, ("Authentication:FailedAttempts", "0"));
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken()));
        for (var i = 0; i < 20; i++) Assert.Equal(503, await StatusAsync(world, Foreign(provider)));
        Assert.Equal(1, provider.Ledger.KeyRequests);

        world.Clock!.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(401, await StatusAsync(world, Foreign(provider)));
        for (var i = 0; i < 20; i++) Assert.Equal(503, await StatusAsync(world, Foreign(provider)));
        Assert.Equal(2, provider.Ledger.KeyRequests);
    }

    [Fact]
    public async Task Signing_keys_are_refreshed_after_ten_minutes_while_tokens_remain_valid()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        var token = provider.AccessToken(change: jwt => jwt with { Expires = DateTimeOffset.UtcNow.AddHours(2) });
        Assert.Equal(200, await StatusAsync(world, token));
        world.Clock!.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(200, await StatusAsync(world, token));
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(5), () => provider.Ledger.KeyRequests == 2, "the keys are fetched again");
    }

    [Fact]
    public async Task A_token_of_a_withdrawn_key_is_401_after_the_refresh()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        var old = provider.AccessToken(change: jwt => jwt with { Expires = DateTimeOffset.UtcNow.AddHours(2) });
        Assert.Equal(200, await StatusAsync(world, old));
        provider.RotateSigningKey(keepOld: false);
        world.Clock!.Advance(TimeSpan.FromMinutes(21));
        Assert.Equal(401, await StatusAsync(world, old));
    }

    [Fact]
    public async Task A_provider_whose_issuer_differs_from_the_authority_is_rejected()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        var byName = new UriBuilder(provider.Address) { Host = "localhost" }.Uri;
        await using var world = await UserWorld.StartAsync(
            provider, ("Authentication:Jwt:Authority", byName.AbsoluteUri));
        Assert.Equal(500, await StatusAsync(
            world, provider.AccessToken(change: jwt => jwt with { Issuer = byName.AbsoluteUri })));
        Assert.Contains(world.Gateway.Log.All,
            line => line.Contains("the authority must be its issuer", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("https://provider.invalid/tenant/", "https://provider.invalid/tenant/", 200, "")]
    [InlineData("https://provider.invalid/tenant", "https://provider.invalid/tenant/", 200, "")]
    [InlineData("https://provider.invalid/tenant/", "https://provider.invalid/other/", 500,
        "the authority must be its issuer")]
    [InlineData("https://provider.invalid/tenant/", "https://provider.invalid/{tenantid}/", 500,
        "that is the metadata for all tenants; name the tenant in the authority")]
    public async Task Metadata_at_another_address_than_the_issuers_must_name_the_authority_as_its_issuer(
        string authority, string issuer, int status, string problem)
    {
        await using var provider = await TokenIssuer.StartAsync(issuer);
        await using var world = await World.StartAsync(
            [.. provider.Settings("api"), ("Authentication:Jwt:Authority", authority),
                ("Teams:mapping:Claims:sub:0", "ann")]);
        var token = provider.Sign(
            new JsonObject { ["iss"] = status == 200 ? issuer : authority, ["aud"] = "api", ["sub"] = "ann" });
        Assert.Equal(status, await StatusAsync(world, token));
        Assert.Equal(status != 200,
            world.Gateway.Log.All.Any(line => line.Contains(problem, StringComparison.Ordinal) && status != 200));
    }

    private static string Foreign(IdentityProvider provider)
    {
        var key = SigningKeys.NewKey();
        return provider.AccessToken(change: jwt => jwt with { Key = key, KeyId = key.KeyId });
    }

    private static async Task<int> StatusAsync(World world, string token)
    {
        using var answer = await GetAsync(world, token);
        return (int)answer.StatusCode;
    }

    private static async Task<HttpResponseMessage> GetAsync(World world, string token)
    {
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        return await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
    }
}
