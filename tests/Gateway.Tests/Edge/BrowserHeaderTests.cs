using System.Net;
using Gateway.Edge;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Edge;

/// <summary>Security headers that tell browsers what a page must not do with an answer.</summary>
public sealed class BrowserHeaderTests
{
    private const string Nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    private const string OwnOnly =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    [Theory]
    [InlineData("v0/workflows/survey-1/jobs/finished-1", 200)]
    [InlineData("v0/workflows/survey-1/jobs/no-such-job", 404)]
    [InlineData("v0/workflows//jobs/x", 400)]
    [InlineData("problems/unauthenticated", 200)]
    [InlineData("health/live", 200)]
    [InlineData("openapi/v0.json", 200)]
    [InlineData("docs", 301)]
    [InlineData("docs/index.html", 200)]
    [InlineData("docs/docs.js", 200)]
    [InlineData("docs/swagger-ui-bundle.js", 200)]
    [InlineData("docs/reader", 200)]
    [InlineData("docs/nothing", 404)]
    [InlineData("nothing", 404)]
    public async Task Every_answer_forbids_framing_and_content_sniffing(string path, int status)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        Assert.Equal(status, (int)answer.StatusCode);
        AssertSafe(answer, path.StartsWith("docs", StringComparison.Ordinal) ? OwnOnly : Nothing);
    }

    [Theory]
    [InlineData("v0/workflows/survey-1/jobs/finished-1")]
    [InlineData("health/ready")]
    public async Task Answers_to_unsupported_methods_have_the_security_headers(string path)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var answer = await client.DeleteAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        AssertSafe(answer);
    }

    [Fact]
    public async Task Pages_below_a_path_base_have_the_security_headers()
    {
        await using var world = await World.StartAsync(("PathBase", "/gw"));
        using var client = world.Gateway.Client();
        using var page = await client.GetAsync(new Uri("gw/docs/index.html", UriKind.Relative), World.Cancellation);
        AssertSafe(page, OwnOnly);
    }

    [Fact]
    public async Task Unauthenticated_answers_have_the_security_headers()
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync("finished-1", key: "wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        AssertSafe(answer);
    }

    [Fact]
    public async Task Answers_to_internal_errors_have_the_security_headers()
    {
        var http = new DefaultHttpContext();
        await StatusCodePages.WriteFailureAsync(http);
        Assert.Equal(500, http.Response.StatusCode);
        Assert.Equal(Nothing, http.Response.Headers.ContentSecurityPolicy);
        Assert.Equal("nosniff", http.Response.Headers.XContentTypeOptions);
    }

    private static void AssertSafe(HttpResponseMessage answer, string policy = Nothing)
    {
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("no-referrer", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
        Assert.Equal("same-origin", Assert.Single(answer.Headers.GetValues("Cross-Origin-Resource-Policy")));
        Assert.Equal(policy, Assert.Single(answer.Headers.GetValues("Content-Security-Policy")));
    }
}
