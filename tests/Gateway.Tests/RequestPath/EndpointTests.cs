using System.Net;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.RequestPath;

/// <summary>Every mapped endpoint requires a credential or is on the list of public endpoints below.</summary>
public sealed class EndpointTests
{
    /// <summary>The public endpoints, each with the reason why it needs no credential.</summary>
    private static readonly Dictionary<string, string> Public = new()
    {
        ["GET /health/live"] = "probes have no keys, and the answer is one word",
        ["GET /health/ready"] = "likewise",
        ["GET /problems/{slug}"] = "pages that problem types link to",
        ["GET /openapi/v0.json"] = "the contract contains nothing internal; Contract:Public protects it",
        ["HEAD /openapi/v0.json"] = "likewise; the page at /docs is static files, not an endpoint",
        ["GET /openapi/v0.yaml"] = "likewise",
        ["HEAD /openapi/v0.yaml"] = "likewise",
        ["GET /openapi/3.0/v0.json"] = "likewise",
        ["HEAD /openapi/3.0/v0.json"] = "likewise",
        ["GET /openapi/3.0/v0.yaml"] = "likewise",
        ["HEAD /openapi/3.0/v0.yaml"] = "likewise",
        ["GET /docs/reader"] = "lists the authentication methods, and whether the caller has a session",
        ["GET /"] = "leads to the viewer",
        ["HEAD /"] = "likewise",
        ["GET /view"] = "a page without data, which asks for a key or a login",
        ["HEAD /view"] = "likewise",
        ["GET /view/workflows/{workflow_id}/jobs/{job_id}"] = "the same page",
        ["HEAD /view/workflows/{workflow_id}/jobs/{job_id}"] = "likewise",
        ["GET /view/reader"] = "whether logins exist and the caller has a session, and the configured status words",
        ["GET /bff/login"] = "a login begins without a session",
        ["GET /bff/callback"] = "likewise; state, nonce and PKCE protect it",
        ["GET /bff/logged-out"] = "the session has ended; only return URLs that the gateway protected are followed",
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
    public async Task Every_endpoint_requires_a_credential_or_is_listed_as_public()
    {
        await using var world = await World.StartAsync(Everything);
        var endpoints = Endpoints(world);
        Assert.Equal([], Public.Keys.Except(endpoints.Select(endpoint => endpoint.Name)));
        Assert.True(endpoints.Count > Public.Count);

        foreach (var (name, method, path) in endpoints.Where(endpoint => !Public.ContainsKey(endpoint.Name)))
        {
            foreach (var credential in (string?[])[null, "wrong", "a.b.c"])
            {
                using var client = credential is null ? world.Gateway.Client()
                    : world.Gateway.Client(("Authorization", "Bearer " + credential));
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var answer = await client.SendAsync(request, World.Cancellation);
                Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized,
                    $"{name} with {credential ?? "nothing"}: {(int)answer.StatusCode}");
            }
        }
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Browser_endpoints_are_not_mapped_without_an_identity_provider()
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
        var source = world.Gateway.Services.GetRequiredService<EndpointDataSource>();
        foreach (var endpoint in source.Endpoints.Cast<RouteEndpoint>())
        {
            var pattern = endpoint.RoutePattern;
            var path = "/" + string.Join(
                '/', pattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(part => part switch
            {
                Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart literal => literal.Content,
                Microsoft.AspNetCore.Routing.Patterns.RoutePatternSeparatorPart separator => separator.Content,
                _ => "x1",
            }))));
            // An endpoint without methods accepts all of them; one request is enough.
            var methods = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods;
            foreach (var method in methods is { Count: > 0 } ? methods : ["GET"])
            {
                endpoints.Add(($"{method} /{pattern.RawText?.TrimStart('/')}", method, path));
            }
        }
        return endpoints;
    }
}
