using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.AspNetCore.Http;
using Simulator;
using Endpoint = Gateway.Tests.Infrastructure.Identity.Endpoint;

namespace Gateway.Tests.Outbound;

/// <summary>Gateway processes behind an egress proxy that asks for a password.</summary>
public sealed class ProxyTests
{
    [Fact]
    public async Task An_https_upstream_is_reached_through_the_proxy_and_its_password_is_not_shown()
    {
        var own = TinyProxy.OwnAddress();
        await using var proxy = await TinyProxy.StartAsync();
        using var authority = new PrivateAuthority();
        using var https = authority.IssueForServer(own.ToString());
        await using var upstream = await SimulatedUpstream.StartAsync(new IPEndPoint(own, 0),
            credentials: [Canary.Credential], https: https, cancellation: World.Cancellation);
        upstream.Others["/v0/other"] = http => http.Response.WriteAsync("answer");
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("Upstream:BaseAddress", upstream.Address.ToString()), ("Upstream:CertificateAuthority", authority.Path),
            ("Routes:other:Path", "/v0/other"), ("Teams:mapping:Routes:0", "other"));
        var environment = world.Environment();
        environment["HTTPS_PROXY"] = proxy.Address;
        await using var gateway = await GatewayProcess.StartAsync(environment);

        using var client = gateway.Client();
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, Job));
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, "v0/other"));
        var (exit, check) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable, "check"], environment);

        // The proxy answers the first request of a connection with 407, because .NET sends no password before.
        Assert.Contains($"CONNECT {upstream.Address.Authority} HTTP/1.1", proxy.Requests);
        Assert.True(exit == 0, check);
        Assert.Contains($"HTTPS_PROXY = http://***@127.0.0.1:{proxy.Port}/  (environment)", check,
            StringComparison.Ordinal);
        Assert.DoesNotContain(TinyProxy.Password, check + gateway.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Jobs_routes_tokens_and_logins_use_the_proxy_unless_NO_PROXY_names_the_server(bool isDirect)
    {
        var own = TinyProxy.OwnAddress();
        await using var proxy = await TinyProxy.StartAsync();
        await using var upstream = await SimulatedUpstream.StartAsync(new IPEndPoint(own, 0),
            credentials: [Canary.Credential], cancellation: World.Cancellation);
        upstream.Others["/v0/other"] = http => http.Response.WriteAsync("answer");
        await using var provider = new IdentityProvider(host: own.ToString());
        await provider.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, UserWorld.Settings(provider,
            ("Upstream:BaseAddress", upstream.Address.ToString()),
            ("Routes:other:Path", "/v0/other"), ("Teams:mapping:Routes:0", "other")));
        var environment = world.Environment();
        environment["http_proxy"] = proxy.Address;
        environment["NO_PROXY"] = isDirect ? $"example.com,{own}/32" : "";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        provider.Register(gateway.Address);

        using var client = gateway.Client();
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, Job));
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, "v0/other"));
        client.DefaultRequestHeaders.Remove("X-Api-Key");
        client.DefaultRequestHeaders.Add("Authorization", $"Bearer {provider.AccessToken()}");
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, Job));
        using var visitor = new Visitor();
        using var home = await visitor.LogInAsync(provider, gateway.Address);
        Assert.NotNull(visitor.Session);

        Uri[] reached =
        [
            new(upstream.Address, Job), new(upstream.Address, "v0/other"),
            new(provider.Address, Endpoint.Discovery), new(provider.Address, Endpoint.Keys),
            new(provider.Address, Endpoint.Token), new(provider.Address, Endpoint.UserInfo),
        ];
        foreach (var address in reached)
        {
            Assert.Equal((address, !isDirect), (address, proxy.Requests.Any(
                line => line.Contains($" {address} HTTP/1.1", StringComparison.Ordinal))));
        }
    }

    [Theory]
    // tinyproxy answers 401 to a wrong password.
    [InlineData("egress:wrong-do-not-print-this@127.0.0.1:{0}", "does not connect to ")]
    [InlineData("egress:do-not-print-this@127.0.0.1:9", "cannot be reached (Connection refused")]
    public async Task A_proxy_that_fails_is_named_in_the_log(string address, string problem)
    {
        var own = TinyProxy.OwnAddress();
        await using var proxy = await TinyProxy.StartAsync();
        await using var upstream = await SimulatedUpstream.StartAsync(
            new IPEndPoint(own, 0), credentials: [Canary.Credential], cancellation: World.Cancellation);
        var secure = new UriBuilder(upstream.Address) { Scheme = "https" }.Uri.ToString();
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("Upstream:BaseAddress", secure), ("Authentication:Jwt:Authority", $"https://{own}:1"),
            ("Authentication:Jwt:Audience", "a"));
        var environment = world.Environment();
        environment["all_proxy"] = "http://" + string.Format(null, address, proxy.Port);
        await using var gateway = await GatewayProcess.StartAsync(environment);

        using var client = gateway.Client();
        using var job = await client.GetAsync(new Uri(Job, UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.BadGateway, job.StatusCode);
        Assert.Contains("(upstream-proxy-failed)", await job.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
        client.DefaultRequestHeaders.Remove("X-Api-Key");
        client.DefaultRequestHeaders.Add("Authorization",
            $"Bearer {new Jwt { Key = new SigningKeys().Current, Issuer = $"https://{own}:1" }.Encode()}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await GatewayProcess.StatusOf(client, Job));

        var host = environment["all_proxy"]!.Split('@')[1];
        await gateway.UntilPrintedAsync($"A call to the upstream failed: The egress proxy {host} {problem}");
        await gateway.UntilPrintedAsync($"cannot be fetched: The egress proxy {host} {problem}");
        if (problem.StartsWith("does", StringComparison.Ordinal))
        {
            await gateway.UntilPrintedAsync("answered 401, so its address may lack a user and a password");
        }
        Assert.DoesNotContain("do-not-print-this", gateway.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_demo_works_although_the_environment_names_a_proxy()
    {
        var port = ChildProcess.FreePort();
        await using var demo = new ChildProcess("dotnet", [GatewayProcess.Executable, "demo", "--port", $"{port}",
            "--upstream-port", $"{ChildProcess.FreePort()}"], new() { ["ALL_PROXY"] = "http://127.0.0.1:9" });
        await demo.UntilAsync(() => Task.FromResult(demo.Output.Contains("Ctrl-C", StringComparison.Ordinal)));
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        client.DefaultRequestHeaders.Add("X-Api-Key", demo.Output.Split("mapping  ")[1].Split(' ')[0]);
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(client, Job));
    }

    private const string Job = "v0/workflows/survey-1/jobs/finished-1";
}
