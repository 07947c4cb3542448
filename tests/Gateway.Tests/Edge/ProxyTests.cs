using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Tests.Edge;

/// <summary>Which proxies the gateway trusts for the source, scheme, host and path of a request.</summary>
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
    public async Task Only_a_known_proxy_is_trusted_to_name_the_source(string key, string value, bool isTrusted)
    {
        await using var world = await World.StartAsync([.. OneAttempt, (key, value)]);
        foreach (var wrongKey in (string[])["a", "b"]) using (await AttemptAsync(world, wrongKey, "192.0.2.1")) { }

        using var another = await AttemptAsync(world, "c", "192.0.2.2");

        Assert.Equal(isTrusted ? HttpStatusCode.Unauthorized : HttpStatusCode.TooManyRequests, another.StatusCode);
    }

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::2:0:0:9", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", false)]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1", true)]
    [InlineData("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)]
    public async Task A_source_is_an_IPv4_address_or_an_IPv6_64_network(string source, string other, bool isTheSame)
    {
        await using var world = await World.StartAsync(
            [.. OneAttempt, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1")]);
        foreach (var wrongKey in (string[])["a", "b"]) using (await AttemptAsync(world, wrongKey, source)) { }
        using var another = await AttemptAsync(world, "c", other);
        Assert.Equal(isTheSame ? HttpStatusCode.TooManyRequests : HttpStatusCode.Unauthorized, another.StatusCode);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("2", false)]
    public async Task Forwarded_addresses_are_trusted_up_to_the_forward_limit(string limit, bool isTheSame)
    {
        await using var world = await World.StartAsync(
            [.. OneAttempt, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"),
                ("ForwardedHeaders:KnownProxies:1", "192.0.2.1"), ("ForwardedHeaders:ForwardLimit", limit)]);
        foreach (var wrongKey in (string[])["a", "b"])
            using (await AttemptAsync(world, wrongKey, "198.51.100.1, 192.0.2.1")) { }
        using var another = await AttemptAsync(world, "c", "198.51.100.2, 192.0.2.1");
        Assert.Equal(isTheSame ? HttpStatusCode.TooManyRequests : HttpStatusCode.Unauthorized, another.StatusCode);
    }

    [Fact]
    public async Task The_forwarded_headers_switch_of_the_framework_makes_no_client_a_known_proxy()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, OneAttempt);
        var environment = world.Environment();
        environment["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = "true";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        var statuses = new List<int>();
        foreach (var (key, source) in ((string, string)[])[("a", "192.0.2.1"), ("b", "192.0.2.2")])
        {
            using var client = gateway.Client(key);
            client.DefaultRequestHeaders.Add("X-Forwarded-For", source);
            statuses.Add(await StatusAsync(client, "v0/workflows/survey-1/jobs/finished-1"));
        }
        Assert.Equal([401, 429], statuses);
    }

    [Fact]
    public async Task A_source_cannot_evade_the_limit_with_forged_forwarded_addresses()
    {
        await using var world = await World.StartAsync(
            [.. OneAttempt, ("ForwardedHeaders:KnownProxies:0", "127.0.0.1")]);
        for (var i = 0; i < 2; i++) using (await AttemptAsync(world, $"{i}", $"198.51.100.{i}, 192.0.2.1")) { }
        using var another = await AttemptAsync(world, "another", "198.51.100.9, 192.0.2.1");
        Assert.Equal(HttpStatusCode.TooManyRequests, another.StatusCode);
    }

    [Theory]
    [InlineData("127.0.0.1", "Strict-Transport-Security")]
    [InlineData("127.0.0.9", null)]
    public async Task A_request_is_https_when_a_known_proxy_terminated_TLS(string proxy, string? header)
    {
        await using var world = await World.StartAsync(("ForwardedHeaders:KnownProxies:0", proxy));
        using var answer = await world.GetAsync(
            "finished-1", headers: [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "gateway.example")]);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(header is not null, answer.Headers.Contains("Strict-Transport-Security"));
    }

    [Theory]
    [InlineData("gateway.example", HttpStatusCode.Redirect)]
    [InlineData("evil.example", HttpStatusCode.InternalServerError)]
    public async Task A_proxy_may_name_only_an_allowed_host(string host, HttpStatusCode status)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(
            provider, ("AllowedHosts", "127.0.0.1;gateway.example"), ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"));
        using var visitor = Visitor.Of(provider);
        using var sent = await visitor.GetAsync(
            new Uri(world.Gateway.Address, "bff/login"), ("X-Forwarded-Host", host), ("X-Forwarded-Proto", "https"));
        Assert.Equal(status, sent.StatusCode);
        if (status == HttpStatusCode.Redirect)
        {
            Assert.Equal("https://gateway.example/bff/callback",
                QueryHelpers.ParseQuery(sent.Headers.Location!.Query)["redirect_uri"]);
        }
        using var direct = await visitor.GetAsync(
            new Uri(world.Gateway.Address, "bff/login"), ("Host", "evil.example"));
        Assert.Equal(HttpStatusCode.BadRequest, direct.StatusCode);
    }

    [Fact]
    public async Task A_zero_HSTS_age_sends_no_HSTS_header()
    {
        await using var world = await World.StartAsync(
            ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"), ("Https:HstsMaxAge", "00:00:00"));
        using var answer = await world.GetAsync(
            "finished-1", headers: [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "gateway.example")]);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Strict-Transport-Security"));
    }

    [Fact]
    public async Task A_path_base_is_removed_before_the_path_is_checked()
    {
        await using var world = await World.StartAsync([.. Purging.Operator, ("PathBase", "/gw")]);
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));

        Assert.Equal(200, await StatusAsync(client, "gw/v0/workflows/survey-1/jobs/finished-1"));
        Assert.Equal(200, await StatusAsync(client, "GW/health/live"));
        Assert.Equal(200, await StatusAsync(client, "gw/openapi/v0.json"));
        Assert.Equal(200, await StatusAsync(client, "gw/docs/index.html"));
        // Probes and the container's health check send no path base.
        Assert.Equal(200, await StatusAsync(client, "health/live"));
        Assert.Equal(404, await StatusAsync(client, "gwx/health/live"));

        using var malformed = await client.GetAsync(
            new Uri("gw/v0/workflows//jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Equal("/problems/invalid-identifier", await BoundTests.ProblemTypeAsync(malformed));

        using var operators = world.Gateway.Client(("X-Api-Key", Purging.OperatorKey));
        using var purge = await operators.DeleteAsync(
            new Uri("gw/admin/cache/default/survey-1", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, purge.StatusCode);
        using var unclear = await operators.DeleteAsync(
            new Uri("gw/admin/cache/default/", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, unclear.StatusCode);
    }

    private static async Task<int> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        return (int)answer.StatusCode;
    }

    private static Task<HttpResponseMessage> AttemptAsync(World world, string key, string forwardedFor) =>
        world.GetAsync("finished-1", key: key, headers: ("X-Forwarded-For", forwardedFor));
}
