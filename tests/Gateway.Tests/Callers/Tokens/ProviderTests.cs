using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>What becomes of tokens, and of everything else, while the provider is away or changes its keys.</summary>
public sealed class ProviderTests
{
    [Fact]
    public async Task A_dead_provider_keeps_neither_the_gateway_from_starting_nor_keys_from_working()
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
        await Purging.WithinAsync(TimeSpan.FromSeconds(5),
            async () => await StatusAsync(world, provider.AccessToken()) == 200, "tokens are known");
    }

    [Fact]
    public async Task A_dead_provider_is_asked_once_a_second_and_nobody_waits_for_it_in_line()
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
    public async Task A_provider_that_never_answers_holds_nobody_up_for_long_and_those_who_come_later_not_at_all()
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
    public async Task What_a_provider_said_goes_on_while_it_is_away()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken()));
        await provider.StopAsync();
        Assert.Equal(200, await StatusAsync(world, provider.AccessToken("bob")));
    }

    [Fact]
    public async Task What_a_provider_said_goes_on_also_when_it_was_asked_again_in_vain()
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
    public async Task A_provider_that_stops_answering_holds_up_no_token_that_a_known_key_signed()
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
    public async Task It_is_asked_once_for_many_tokens()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        var statuses = await Task.WhenAll(
            Enumerable.Range(0, 50).Select(_ => StatusAsync(world, provider.AccessToken())));
        Assert.Equal([200], statuses.Distinct());
        Assert.Equal((1, 1), (provider.Ledger.DiscoveryRequests, provider.Ledger.KeyRequests));
    }

    [Fact]
    public async Task A_new_key_is_known_with_the_first_token_that_it_signed()
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
    public async Task A_roll_over_right_after_the_keys_were_read_makes_tokens_wait_and_is_no_guess()
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
    public async Task A_token_by_a_key_that_was_withdrawn_is_401_each_time()
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
    public async Task Tokens_with_made_up_keys_do_not_make_the_gateway_ask_again_and_again()
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
    public async Task What_a_provider_said_is_asked_for_again_in_time_and_nobody_waits_for_it()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StopClockAsync(provider);
        var token = provider.AccessToken(change: jwt => jwt with { Expires = DateTimeOffset.UtcNow.AddHours(2) });
        Assert.Equal(200, await StatusAsync(world, token));
        world.Clock!.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(200, await StatusAsync(world, token));
        await Purging.WithinAsync(TimeSpan.FromSeconds(5), () => provider.Ledger.KeyRequests == 2, "it is asked again");
    }

    [Fact]
    public async Task Keys_that_were_withdrawn_are_forgotten()
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
    public async Task A_provider_that_calls_itself_otherwise_is_not_believed()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        var byName = new UriBuilder(provider.Address) { Host = "localhost" }.Uri;
        await using var world = await UserWorld.StartAsync(
            provider, ("Authentication:Jwt:Authority", byName.AbsoluteUri));
        Assert.Equal(503, await StatusAsync(world, provider.AccessToken()));
        Assert.Contains(world.Gateway.Log.All,
            line => line.Contains("the authority must be its issuer", StringComparison.Ordinal));
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
