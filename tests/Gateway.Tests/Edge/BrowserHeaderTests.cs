using System.Net;
using Gateway.Edge;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Edge;

/// <summary>What browsers are told not to do with an answer.</summary>
public sealed class BrowserHeaderTests
{
    private const string Nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    private const string OwnOnly = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
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
    public async Task Every_answer_is_framed_by_nobody_and_is_what_it_says(string path, int status)
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
    public async Task So_are_answers_to_methods_that_there_are_not(string path)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var answer = await client.DeleteAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        AssertSafe(answer);
    }

    [Fact]
    public async Task So_are_pages_below_a_path_base()
    {
        await using var world = await World.StartAsync(("PathBase", "/gw"));
        using var client = world.Gateway.Client();
        using var page = await client.GetAsync(new Uri("gw/docs/index.html", UriKind.Relative), World.Cancellation);
        AssertSafe(page, OwnOnly);
    }

    [Fact]
    public async Task Without_a_credential_it_is_told_as_well()
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync("finished-1", key: "wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        AssertSafe(answer);
    }

    [Fact]
    public async Task So_is_whoever_meets_a_failure_of_the_gateways_own()
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
