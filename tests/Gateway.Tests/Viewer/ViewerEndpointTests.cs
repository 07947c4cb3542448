using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Viewer;

/// <summary>Tests the viewer's files and headers, without a browser.</summary>
public sealed partial class ViewerEndpointTests
{
    private const string Page = "view/workflows/survey-1/jobs/finished-1";

    [Theory]
    [InlineData("", "")]
    [InlineData("/gw", "gw/")]
    [InlineData("/gw", "gw")]
    public async Task The_root_leads_to_the_viewer(string pathBase, string path)
    {
        await using var world = await World.StartAsync(("PathBase", pathBase));
        using var client = world.Gateway.Client();
        using var answer = await GetAsync(client, path);
        var target = new Uri(new Uri(world.Gateway.Address, path), answer.Headers.Location!);
        using var page = await GetAsync(client, target.AbsoluteUri);

        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        Assert.Equal($"{pathBase}/view", target.AbsolutePath);
        Assert.Contains("<title>Gateway: jobs</title>", await page.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("view")]
    [InlineData("view/")]
    [InlineData(Page)]
    [InlineData(Page + "/")]
    [InlineData("gw/view")]
    [InlineData("gw/" + Page)]
    public async Task The_files_of_a_page_exist_at_the_addresses_that_the_page_names(string path)
    {
        await using var world = await World.StartAsync(("PathBase", "/gw"));
        using var client = world.Gateway.Client();
        var address = new Uri(world.Gateway.Address, path);
        var html = await client.GetStringAsync(address, World.Cancellation);
        string[] links = [.. Link().Matches(html).Select(match => match.Groups[1].Value).Distinct()];
        Assert.True(links.Length >= 4);

        foreach (var link in links)
        {
            using var file = await GetAsync(client, new Uri(address, link).AbsoluteUri);
            Assert.True(file.StatusCode is HttpStatusCode.OK or HttpStatusCode.MovedPermanently or HttpStatusCode.Found,
                $"{link}: {file.StatusCode}");
        }
    }

    [Theory]
    [InlineData("view", "text/html")]
    [InlineData(Page, "text/html")]
    [InlineData("view/view.mjs", "text/javascript")]
    [InlineData("view/view.css", "text/css")]
    [InlineData("view/icon.svg", "image/svg+xml")]
    public async Task A_file_has_a_strict_policy_and_is_revalidated_by_its_entity_tag(string path, string type)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var first = await GetAsync(client, path);
        client.DefaultRequestHeaders.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await GetAsync(client, path);

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.NotModified], [first.StatusCode, second.StatusCode]);
        Assert.Equal((type, "no-cache"),
            (first.Content.Headers.ContentType!.MediaType, first.Headers.CacheControl!.ToString()));
        var policy = first.Headers.GetValues("Content-Security-Policy").Single().Split("; ");
        string[] demanded =
        [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'",
            "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'",
        ];
        Assert.Empty(demanded.Except(policy));
        Assert.DoesNotContain(policy, directive => directive.Contains("unsafe", StringComparison.Ordinal)
            || directive.Contains("http", StringComparison.Ordinal) || directive.Contains('*'));
    }

    [Theory]
    [InlineData("view/workflows/a%20b/jobs/x")]
    [InlineData("view/workflows/a/jobs/%3Cb%3E")]
    [InlineData("view/workflows/a%2Fb/jobs/x")]
    public async Task A_malformed_identifier_is_refused(string path)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var answer = await GetAsync(client, path);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("/problems/invalid-identifier", await BoundTests.ProblemTypeAsync(answer));
    }

    [Theory]
    [InlineData("GET", "view/workflows/!!/jobs/x", 400, "Check the workflow id. An identifier is 1 to 128")]
    [InlineData("GET", "gw/view/workflows/a/jobs/%3Cb%3E/", 400, "Check the job id. An identifier is 1 to 128")]
    [InlineData("GET", "view/workflows/a/jobs", 404, "No operation has this path.")]
    [InlineData("GET", "view/workflows//jobs/x", 404, "No operation has this path.")]
    [InlineData("GET", "view/absent.mjs", 404, "No operation has this path.")]
    [InlineData("POST", "view", 405, "only allows GET, HEAD")]
    [InlineData("DELETE", Page, 405, "only allows GET, HEAD")]
    [InlineData("HEAD", "view/workflows/!!/jobs/x", 400, "")]
    [InlineData("HEAD", "view/absent", 404, "")]
    public async Task A_browser_gets_a_page_that_says_what_is_wrong(
        string method, string path, int status, string reason)
    {
        await using var world = await World.StartAsync(("PathBase", "/gw"));
        using var client = world.Gateway.Client(("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"));
        var address = new Uri(world.Gateway.Address, path);
        using var request = new HttpRequestMessage(new HttpMethod(method), address);
        using var answer = await client.SendAsync(request, World.Cancellation);
        var html = await answer.Content.ReadAsStringAsync(World.Cancellation);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("text/html", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
        Assert.Contains("Accept", answer.Headers.Vary);
        Assert.Contains("default-src 'none'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")),
            StringComparison.Ordinal);
        Assert.Contains(reason, html, StringComparison.Ordinal);
        Assert.Equal(method == "HEAD", html.Length == 0);
        foreach (var link in Link().Matches(html).Select(match => match.Groups[1].Value)
            .Where(link => !link.StartsWith("data:", StringComparison.Ordinal)).Distinct())
        {
            using var target = await GetAsync(client, new Uri(address, link).AbsoluteUri);
            // The start page is the viewer.
            Assert.True(target.StatusCode is HttpStatusCode.OK or HttpStatusCode.Found, link);
        }
    }

    [Theory]
    [InlineData("*/*")]
    [InlineData("application/json")]
    [InlineData("text/html;q=0, */*")]
    [InlineData("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2")]
    [InlineData("text/html,application/xhtml+xml,*/*;q=0.8", "Authorization")]
    public async Task A_program_gets_a_problem(string accept, string? credential = null)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client(("Accept", accept));
        if (credential is not null) client.DefaultRequestHeaders.TryAddWithoutValidation(credential, "wrong");
        using var answer = await GetAsync(client, "view/absent");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("/problems/not-found", await BoundTests.ProblemTypeAsync(answer));
    }

    [Fact]
    public async Task The_page_of_a_job_tells_nothing_about_the_job_and_asks_nobody()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var existing = await GetAsync(client, Page);
        using var missing = await GetAsync(client, "view/workflows/harbour/jobs/missing");
        Assert.Equal(await existing.Content.ReadAsStringAsync(World.Cancellation),
            await missing.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task The_page_learns_the_status_words_in_force()
    {
        await using var world = await World.StartAsync(
            ("Jobs:FinishedStatuses:0", "shipped"), ("Jobs:FailedStatuses:0", "sunk"));
        using var client = world.Gateway.Client();
        var reader = await client.GetFromJsonAsync<JsonElement>("view/reader", World.Cancellation);
        Assert.Equal("""{"sessions":false,"session":false,"finished":["shipped"],"failed":["sunk"]}""",
            reader.GetRawText());
    }

    // Text from a job must never become markup.
    [Fact]
    public void No_script_sets_markup_or_stores_anything()
    {
        var folder = Path.Combine(Repository.Root, "src", "Gateway", "Viewer", "Page");
        var found =
            from file in Directory.GetFiles(folder, "*.mjs")
            from line in File.ReadLines(file).Index()
            where Forbidden().IsMatch(line.Item)
            select $"{Path.GetFileName(file)}:{line.Index + 1}";
        Assert.Empty(found);
    }

    private static Task<HttpResponseMessage> GetAsync(HttpClient client, string path) =>
        client.GetAsync(new Uri(path, UriKind.RelativeOrAbsolute), World.Cancellation);

    [GeneratedRegex("(?:href|src)=\"([^\"#]+)\"")]
    private static partial Regex Link();

    [GeneratedRegex(
        @"innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage|sessionStorage|\bcookie\b|\beval\b")]
    private static partial Regex Forbidden();
}
