using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Tests.Edge;

/// <summary>Whose word is taken for where a request comes from, and where the gateway is found.</summary>
public sealed class ProxyTests
{
    private static readonly (string, string?)[] OneAttempt = [("Authentication:FailedAttempts", "1")];

    [Theory]
    [InlineData("ForwardedHeaders:KnownProxies:0", "127.0.0.1", true)]
    [InlineData("ForwardedHeaders:KnownProxies:0", "::ffff:127.0.0.1", true)]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8", true)]
    [InlineData("ForwardedHeaders:KnownProxies:0", "127.0.0.9", false)]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8", false)]
    [InlineData("ForwardedHeaders:ForwardLimit", "1", false)]
    public async Task A_known_proxy_and_nobody_else_says_who_the_source_is(string key, string value, bool isBelieved)
    {
        await using var world = await World.StartAsync([.. OneAttempt, (key, value)]);
        foreach (var guess in (string[])["a", "b"]) using (await GuessAsync(world, guess, "192.0.2.1")) { }

        using var another = await GuessAsync(world, "c", "192.0.2.2");

        Assert.Equal(isBelieved ? HttpStatusCode.Unauthorized : HttpStatusCode.TooManyRequests, another.StatusCode);
    }

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::2:0:0:9", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", false)]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1", true)]
    [InlineData("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)]
    public async Task A_source_is_an_ipv4_address_or_the_64_bits_of_an_ipv6_network(string guesser, string other, bool isTheSame)
    {
        await using var world = await World.StartAsync([.. OneAttempt, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1")]);
        foreach (var guess in (string[])["a", "b"]) using (await GuessAsync(world, guess, guesser)) { }
        using var another = await GuessAsync(world, "c", other);
        Assert.Equal(isTheSame ? HttpStatusCode.TooManyRequests : HttpStatusCode.Unauthorized, another.StatusCode);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("2", false)]
    public async Task As_many_proxies_are_believed_as_a_request_may_pass(string limit, bool isTheSame)
    {
        await using var world = await World.StartAsync(
            [.. OneAttempt, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"), ("ForwardedHeaders:KnownProxies:1", "192.0.2.1"), ("ForwardedHeaders:ForwardLimit", limit)]);
        foreach (var guess in (string[])["a", "b"]) using (await GuessAsync(world, guess, "198.51.100.1, 192.0.2.1")) { }
        using var another = await GuessAsync(world, "c", "198.51.100.2, 192.0.2.1");
        Assert.Equal(isTheSame ? HttpStatusCode.TooManyRequests : HttpStatusCode.Unauthorized, another.StatusCode);
    }

    [Fact]
    public async Task The_frameworks_own_switch_does_not_make_everybody_a_known_proxy()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, OneAttempt);
        var environment = world.Environment();
        environment["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = "true";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        var statuses = new List<int>();
        foreach (var (guess, source) in ((string, string)[])[("a", "192.0.2.1"), ("b", "192.0.2.2")])
        {
            using var client = gateway.Client(guess);
            client.DefaultRequestHeaders.Add("X-Forwarded-For", source);
            statuses.Add(await StatusAsync(client, "v0/workflows/survey-1/jobs/finished-1"));
        }
        Assert.Equal([401, 429], statuses);
    }

    [Fact]
    public async Task A_source_cannot_hide_behind_addresses_that_it_makes_up()
    {
        await using var world = await World.StartAsync([.. OneAttempt, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1")]);
        for (var i = 0; i < 2; i++) using (await GuessAsync(world, $"{i}", $"198.51.100.{i}, 192.0.2.1")) { }
        using var another = await GuessAsync(world, "another", "198.51.100.9, 192.0.2.1");
        Assert.Equal(HttpStatusCode.TooManyRequests, another.StatusCode);
    }

    [Theory]
    [InlineData("127.0.0.1", "Strict-Transport-Security")]
    [InlineData("127.0.0.9", null)]
    public async Task Tls_that_ended_at_a_known_proxy_is_tls(string proxy, string? header)
    {
        await using var world = await World.StartAsync(("ForwardedHeaders:KnownProxies:0", proxy));
        using var answer = await world.GetAsync("finished-1", headers: [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "gateway.example")]);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(header is not null, answer.Headers.Contains("Strict-Transport-Security"));
    }

    [Theory]
    [InlineData("127.0.0.1;gateway.example", "gateway.example", "http://gateway.example/bff/callback")]
    [InlineData("127.0.0.1;gateway.example", "evil.example", "http://127.0.0.1")]
    public async Task A_proxy_may_name_but_a_host_that_is_allowed(string allowed, string host, string callback)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, ("AllowedHosts", allowed), ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"));
        using var visitor = Visitor.Of(provider);
        using var sent = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/login"), ("X-Forwarded-Host", host));
        Assert.StartsWith(callback, QueryHelpers.ParseQuery(sent.Headers.Location!.Query)["redirect_uri"], StringComparison.Ordinal);
        using var direct = await visitor.GetAsync(new Uri(world.Gateway.Address, "health/live"), ("Host", "evil.example"));
        Assert.Equal(HttpStatusCode.BadRequest, direct.StatusCode);
    }

    [Fact]
    public async Task Without_an_age_browsers_are_told_nothing_of_https()
    {
        await using var world = await World.StartAsync(("ForwardedHeaders:KnownProxies:0", "127.0.0.1"), ("Https:HstsMaxAge", "00:00:00"));
        using var answer = await world.GetAsync("finished-1", headers: [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "gateway.example")]);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Strict-Transport-Security"));
    }

    [Fact]
    public async Task A_path_base_is_taken_away_before_anything_looks_at_the_path()
    {
        await using var world = await World.StartAsync([.. Purging.Operator, ("PathBase", "/gw")]);
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        Assert.Equal(200, await StatusAsync(client, "gw/v0/workflows/survey-1/jobs/finished-1"));
        Assert.Equal(200, await StatusAsync(client, "GW/health/live"));
        Assert.Equal(200, await StatusAsync(client, "gw/openapi/v0.json"));
        Assert.Equal(200, await StatusAsync(client, "gw/docs/index.html"));
        // Probes and the container's own check know of no base.
        Assert.Equal(200, await StatusAsync(client, "health/live"));
        Assert.Equal(404, await StatusAsync(client, "gwx/health/live"));

        using var malformed = await client.GetAsync(new Uri("gw/v0/workflows//jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Equal("/problems/invalid-identifier", await BoundTests.ProblemTypeAsync(malformed));

        using var operators = world.Gateway.Client(("X-Api-Key", Purging.OperatorKey));
        using var purge = await operators.DeleteAsync(new Uri("gw/admin/cache/default/survey-1", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, purge.StatusCode);
        using var unclear = await operators.DeleteAsync(new Uri("gw/admin/cache/default/", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, unclear.StatusCode);
    }

    private static async Task<int> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        return (int)answer.StatusCode;
    }

    private static Task<HttpResponseMessage> GuessAsync(World world, string key, string forwardedFor) =>
        world.GetAsync("finished-1", key: key, headers: ("X-Forwarded-For", forwardedFor));
}
