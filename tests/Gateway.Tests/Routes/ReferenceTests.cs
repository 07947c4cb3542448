using System.Net;
using Gateway.Tests.Drift;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Routes;

/// <summary>Tests redirects, and header fields that hold references.</summary>
public sealed class ReferenceTests
{
    private const string Files = "https://files.example";

    private static readonly (string, string?)[] Routes =
    [
        ("Routes:scenes:Path", "/v0/scenes"), ("Routes:scenes:Query:0", "page"),
        ("Routes:scenes:OtherHosts:0", "files.example"),
        .. ((string[])["Link", "Content-Location", "Location", "Refresh", "Operation-Location", "X-Next", "X-Note",
            "Content-Disposition"])
            .Select((name, i) => ($"Routes:scenes:ResponseHeaders:{i}", name)),
        ("Routes:scene:Path", "/v0/scenes/{scene}"), ("Teams:mapping:Routes:0", "*"),
    ];

    [Theory]
    [InlineData("Link", "<$/v0/scenes?page=2>; rel=\"next\"; title=\"a, b\"",
        "<scenes?page=2>; rel=\"next\"; title=\"a, b\"")]
    [InlineData("Link", "</v0/scenes?page=2>; rel=next, <?page=9>; rel=last",
        "<scenes?page=2>; rel=next, <scenes?page=9>; rel=last")]
    [InlineData("Link", "<$/v0/scenes?cursor=2>; rel=next, <$/v0/scenes/s-1>; rel=item", "<scenes/s-1>; rel=item")]
    [InlineData("Link", "<$/v0/scenes?page=2>; rel=next; anchor=\"$/v0/scenes/s-1\"",
        "<scenes?page=2>; rel=next; anchor=\"scenes/s-1\"")]
    [InlineData("Link", "<$/v0/scenes?page=2>; rel=next; anchor=\"#x\"", "<scenes?page=2>; rel=next; anchor=\"#x\"")]
    [InlineData("Link", "<$/v0/scenes?page=2>; rel=next; anchor=\"$/internal\"", null)]
    [InlineData("Link",
        "<$/v0/scenes?page=2>; anchor=\"#x\\\", <https://elsewhere.example/>; rel=preload; x=\\\"\"", null)]
    [InlineData("Link", "<#a b>; rel=next", null)]
    [InlineData("Link", "<#a>; rel=next", "<#a>; rel=next")]
    [InlineData("Link", "<https://files.example/a>; rel=preload; imagesrcset=\"https://elsewhere.example/b 2x\"", null)]
    [InlineData("Link", "<$/internal>; rel=up", null)]
    [InlineData("Link", "<https://elsewhere.example/>; rel=up", null)]
    [InlineData("Link", "<https://files.example/a>; rel=enclosure", "<https://files.example/a>; rel=enclosure")]
    [InlineData("Link", "$/v0/scenes?page=2", null)]
    [InlineData("Content-Location", "/v0/scenes/s-1", "scenes/s-1")]
    [InlineData("Content-Location", "$/internal", null)]
    [InlineData("Location", "$/v0/scenes/s-1", "scenes/s-1")]
    [InlineData("Operation-Location", "$/v0/workflows/survey-1/jobs/j-1", "workflows/survey-1/jobs/j-1")]
    [InlineData("Operation-Location", "$/v0/operations/1", null)]
    [InlineData("Refresh", "5", "5")]
    [InlineData("Refresh", "5; URL=\"$/v0/scenes/s-1\"", "5; url=scenes/s-1")]
    [InlineData("Refresh", "5; url=https://elsewhere.example/", null)]
    [InlineData("Refresh", "5; javascript:x", null)]
    [InlineData("Refresh", "url=https://elsewhere.example/", null)]
    [InlineData("X-Next", "$/v0/scenes?page=2", "scenes?page=2")]
    [InlineData("X-Next", "$/internal", null)]
    [InlineData("X-Note", "see $/internal for more", null)]
    [InlineData("X-Note", "7; a=b", "7; a=b")]
    [InlineData("Content-Disposition", "attachment; filename=\"a.txt\"", "attachment; filename=\"a.txt\"")]
    public async Task A_reference_in_a_header_leads_to_the_gateway_or_is_not_passed(
        string header, string sent, string? expected)
    {
        await using var world = await World.StartAsync(Routes);
        using var dropped = new Operating.Measured(world.Gateway, counter: "gateway.route.dropped_references");
        var api = world.Upstream.Address.AbsoluteUri.TrimEnd('/');
        world.Upstream.Others["/v0/scenes"] = http =>
        {
            http.Response.Headers[header] = sent.Replace("$", api, StringComparison.Ordinal);
            return http.Response.WriteAsync("[]");
        };

        using var answer = await GetAsync(world, "v0/scenes");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var got = answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated)
            .Where(one => one.Key == header).Select(one => one.Value.ToString()).FirstOrDefault();
        Assert.Equal(expected, got);
        var isDropped = expected is null || sent.Contains("cursor", StringComparison.Ordinal);
        Assert.Equal(isDropped ? 1 : 0, dropped.Counts.Sum(count => count.Value));
        Assert.Equal(isDropped, world.Gateway.Log.All.Any(line => line.Contains(
            $"Callers of route scenes do not get a reference in the upstream's header {header}",
            StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Pages_can_be_followed_by_way_of_links_below_a_path_base()
    {
        await using var world = await World.StartAsync([.. Routes, ("PathBase", "/gateway")]);
        world.Upstream.Others["/v0/scenes"] = http =>
        {
            var page = int.Parse(http.Request.Query["page"].FirstOrDefault() ?? "1", null);
            if (page < 3)
            {
                http.Response.Headers.Link = $"<{world.Upstream.Address}v0/scenes?page={page + 1}>; rel=\"next\"";
            }
            return http.Response.WriteAsync($"{page}");
        };
        var (read, next) = ("", new Uri(world.Gateway.Address, "gateway/v0/scenes"));
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        while (true)
        {
            using var answer = await client.GetAsync(next, World.Cancellation);
            read += await answer.Content.ReadAsStringAsync(World.Cancellation);
            if (!answer.Headers.TryGetValues("Link", out var links)) break;
            next = new Uri(next, links.Single().Split('<', '>')[1]);
        }
        Assert.Equal("123", read);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_to_a_listed_host_passes_as_it_is(int status)
    {
        const string Signed = Files + "/scene.tif?X-Amz-Signature=a%2Fb&X-Amz-Expires=60";
        await using var world = await World.StartAsync(Routes);
        world.Upstream.Others["/v0/scenes"] = Redirect(status, Signed);
        using var answer = await GetAsync(world, "v0/scenes");
        Assert.Equal((status, Signed), ((int)answer.StatusCode, Location(answer)));
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
        Assert.Null(answer.Content.Headers.ContentType);
        Assert.Equal("", await answer.Content.ReadAsStringAsync(World.Cancellation));
        foreach (var header in (string[])["Content-Security-Policy", "X-Content-Type-Options", "RateLimit", "Vary"])
        {
            Assert.True(answer.Headers.Contains(header), header);
        }
    }

    [Theory]
    [InlineData("$/v0/scenes/s-1", "scenes/s-1")]
    [InlineData("/v0/scenes?page=2", "scenes?page=2")]
    [InlineData("$/v0/workflows/survey-1/jobs/j-1", "workflows/survey-1/jobs/j-1")]
    public async Task A_redirect_to_a_route_or_a_job_leads_to_the_gateway(string sent, string expected)
    {
        await using var world = await World.StartAsync(Routes);
        world.Upstream.Others["/v0/scenes"] = Redirect(302, sent.Replace(
            "$", world.Upstream.Address.AbsoluteUri.TrimEnd('/'), StringComparison.Ordinal));
        using var answer = await GetAsync(world, "v0/scenes");
        Assert.Equal((HttpStatusCode.Found, expected), (answer.StatusCode, Location(answer)));
    }

    [Theory]
    [InlineData(302, "https://elsewhere.example/")]
    [InlineData(302, "http://files.example/a")]
    [InlineData(302, "$/internal")]
    [InlineData(302, "/v0/scenes?cursor=2")]
    [InlineData(302, "/v0/scenes")]
    [InlineData(302, "")]
    [InlineData(302)]
    [InlineData(300, Files)]
    [InlineData(305, Files)]
    [InlineData(302, Files + "/a", Files + "/b")]
    public async Task Any_other_redirect_is_a_problem_and_is_not_followed(int status, params string[] locations)
    {
        await using var world = await World.StartAsync(Routes);
        var followed = 0;
        world.Upstream.Others["/internal"] = _ =>
        {
            Interlocked.Increment(ref followed);
            return Task.CompletedTask;
        };
        world.Upstream.Others["/v0/scenes"] = Redirect(status, [.. locations.Select(location =>
            location.Replace("$", world.Upstream.Address.AbsoluteUri.TrimEnd('/'), StringComparison.Ordinal))]);
        using var answer = await GetAsync(world, "v0/scenes");
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("/problems/upstream-invalid", await BoundTests.ProblemTypeAsync(answer));
        Assert.Null(answer.Headers.Location);
        Assert.Equal(0, followed);
    }

    [Fact]
    public async Task A_redirect_that_holds_the_credential_is_502()
    {
        await using var world = await World.StartAsync(Routes);
        world.Upstream.Others["/v0/scenes"] = Redirect(302, $"{Files}/?key={Uri.EscapeDataString(Canary.Secret)}");
        using var answer = await GetAsync(world, "v0/scenes");
        Assert.Equal("/problems/upstream-invalid", await BoundTests.ProblemTypeAsync(answer));
        Assert.Contains("credential-echoed", await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_profile_in_the_content_type_is_a_name_and_no_reference()
    {
        await using var world = await World.StartAsync(Routes);
        var type = $"application/json; profile=\"{world.Upstream.Address}profiles/scene\"";
        world.Upstream.Others["/v0/scenes"] = http =>
        {
            http.Response.ContentType = type;
            return http.Response.WriteAsync("[]");
        };
        using var answer = await GetAsync(world, "v0/scenes");
        Assert.Equal(type, $"{answer.Content.Headers.ContentType}");
    }

    private static RequestDelegate Redirect(int status, params string[] locations) => http =>
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/html";
        http.Response.Headers.Location = locations;
        return http.Response.WriteAsync("<a href=\"/internal\">moved</a>");
    };

    private static string? Location(HttpResponseMessage answer) =>
        answer.Headers.NonValidated.TryGetValues("Location", out var values) ? values.ToString() : null;

    private static async Task<HttpResponseMessage> GetAsync(World world, string path)
    {
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        return await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
    }
}
