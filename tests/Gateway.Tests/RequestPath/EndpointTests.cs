using System.Net;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.RequestPath;

/// <summary>Who gets in where: every endpoint that is mapped is either protected, or on the short list below.</summary>
public sealed class EndpointTests
{
    /// <summary>What anybody may ask for, and why that is fine.</summary>
    private static readonly Dictionary<string, string> Public = new()
    {
        ["GET /health/live"] = "probes hold no keys, and one word is all they learn",
        ["GET /health/ready"] = "likewise",
        ["GET /problems/{slug}"] = "pages that errors lead to",
        ["GET /openapi/v0.json"] = "the contract, which names nothing internal; Contract:Public closes it",
        ["HEAD /openapi/v0.json"] = "likewise; its page at /docs is no endpoint, but files",
        ["GET /openapi/v0.yaml"] = "likewise",
        ["HEAD /openapi/v0.yaml"] = "likewise",
        ["GET /openapi/3.0/v0.json"] = "likewise",
        ["HEAD /openapi/3.0/v0.json"] = "likewise",
        ["GET /openapi/3.0/v0.yaml"] = "likewise",
        ["HEAD /openapi/3.0/v0.yaml"] = "likewise",
        ["GET /docs/reader"] = "which ways of authorising there are, and whether the page's reader has a session",
        ["GET /bff/login"] = "whoever logs in has no session yet",
        ["GET /bff/callback"] = "likewise; state, nonce and PKCE protect it",
        ["GET /bff/logged-out"] = "the session is gone; only what the gateway itself protected is followed",
        ["POST /bff/backchannel-logout"] = "the provider's signature protects it",
    };

    private static readonly (string, string?)[] Everything =
    [
        .. Purging.Operator,
        ("Authentication:Oidc:Authority", "https://provider.example"), ("Authentication:Oidc:ClientId", "gateway"),
        ("Authentication:Oidc:ClientSecret", "secret"),
        ("Authentication:Jwt:Authority", "https://provider.example"), ("Authentication:Jwt:Audience", "gateway"),
        ("Cors:AllowedOrigins:0", "https://app.example.com"),
        ("Routes:scenes:Path", "/v0/scenes/{scene}"),
    ];

    [Fact]
    public async Task Every_endpoint_is_protected_or_on_the_list_of_public_ones()
    {
        await using var world = await World.StartAsync(Everything);
        var endpoints = Endpoints(world);
        Assert.Equal([], Public.Keys.Except(endpoints.Select(endpoint => endpoint.Name)));
        Assert.True(endpoints.Count > Public.Count);

        foreach (var (name, method, path) in endpoints.Where(endpoint => !Public.ContainsKey(endpoint.Name)))
        {
            foreach (var credential in (string?[])[null, "wrong", "a.b.c"])
            {
                using var client = credential is null ? world.Gateway.Client() : world.Gateway.Client(("Authorization", "Bearer " + credential));
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var answer = await client.SendAsync(request, World.Cancellation);
                Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized, $"{name} with {credential ?? "nothing"}: {(int)answer.StatusCode}");
            }
        }
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Without_an_identity_provider_there_are_no_browser_endpoints()
    {
        await using var world = await World.StartAsync();
        Assert.DoesNotContain(Endpoints(world), endpoint => endpoint.Path.StartsWith("/bff", StringComparison.Ordinal));
        using var client = world.Gateway.Client();
        using var answer = await client.GetAsync(new Uri("bff/login", UriKind.Relative), World.Cancellation);
        Assert.Equal("/problems/not-found", await BoundTests.ProblemTypeAsync(answer));
    }

    private static List<(string Name, string Method, string Path)> Endpoints(World world)
    {
        var endpoints = new List<(string, string, string)>();
        foreach (var endpoint in world.Gateway.Services.GetRequiredService<EndpointDataSource>().Endpoints.Cast<RouteEndpoint>())
        {
            var pattern = endpoint.RoutePattern;
            var path = "/" + string.Join('/', pattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(part => part switch
            {
                Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart literal => literal.Content,
                Microsoft.AspNetCore.Routing.Patterns.RoutePatternSeparatorPart separator => separator.Content,
                _ => "x1",
            }))));
            // An endpoint that names no method takes each; asking in one of them is enough.
            foreach (var method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is { Count: > 0 } named ? named : ["GET"])
            {
                endpoints.Add(($"{method} /{pattern.RawText?.TrimStart('/')}", method, path));
            }
        }
        return endpoints;
    }
}
