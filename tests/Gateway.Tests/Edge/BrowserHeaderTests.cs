using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

/// <summary>What browsers are told not to do with an answer.</summary>
public sealed class BrowserHeaderTests
{
    [Theory]
    [InlineData("v0/workflows/survey-1/jobs/finished-1", 200)]
    [InlineData("v0/workflows/survey-1/jobs/no-such-job", 404)]
    [InlineData("v0/workflows//jobs/x", 400)]
    [InlineData("problems/unauthenticated", 200)]
    [InlineData("health/live", 200)]
    [InlineData("openapi/v0.json", 200)]
    [InlineData("docs/index.html", 200)]
    [InlineData("nothing", 404)]
    public async Task Every_answer_is_framed_by_nobody_and_is_what_it_says(string path, int status)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        Assert.Equal(status, (int)answer.StatusCode);
        AssertSafe(answer);
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
        AssertSafe(page);
        Assert.Contains("script-src 'self';", Assert.Single(page.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_credential_it_is_told_as_well()
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync("finished-1", key: "wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        AssertSafe(answer);
    }

    private static void AssertSafe(HttpResponseMessage answer)
    {
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("no-referrer", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
        Assert.Equal("same-origin", Assert.Single(answer.Headers.GetValues("Cross-Origin-Resource-Policy")));
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
    }
}
