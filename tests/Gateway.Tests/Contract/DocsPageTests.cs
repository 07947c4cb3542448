using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Deque.AxeCore.Playwright;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.Playwright;

namespace Gateway.Tests.Contract;

/// <summary>Tests Swagger UI in a real browser: every security scheme, and no request to another server.</summary>
public sealed class DocsPageTests(Browser browser)
{
    private const string Workflow = "survey-1", Job = "finished-1", JobPath = $"v0/workflows/{Workflow}/jobs/{Job}";

    /// <summary>A quota of this many requests an hour.</summary>
    private static (string, string?)[] Few(int requests) =>
        [("Teams:mapping:Quota", "few"), ("Quotas:few:Requests", "1"), ("Quotas:few:Window", "01:00:00"),
            ("Quotas:few:Burst", $"{requests}")];

    [Fact]
    public async Task A_user_authorises_with_each_key_scheme_reads_a_job_and_sees_the_exhausted_quota()
    {
        await using var world = await World.StartAsync(Few(4));
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.FillAsync(Workflow, Job);
        foreach (var (scheme, header) in ((string, string)[])[("apiKey", "X-Api-Key: "),
            ("authorization", "Authorization: "), ("bearer", "Authorization: Bearer ")])
        {
            // The page removes the previous credential, because two credentials would be refused.
            await docs.AuthoriseAsync(scheme, World.MappingKey);
            var (status, job, _) = await docs.ExecuteAsync();
            Assert.Equal(("200", Job), (status, job.GetProperty("id").GetString()));
            Assert.Contains($"'{header}{World.MappingKey}'", await docs.CommandAsync(), StringComparison.Ordinal);
        }
        // The browser may cache the job, but Execute must show a response of the gateway.
        Assert.Contains("hit", (await docs.ExecuteAsync()).Headers, StringComparison.Ordinal);

        var (refused, problem, headers) = await docs.ExecuteAsync();
        Assert.Equal("429", refused);
        Assert.EndsWith("quota-exceeded", problem.GetProperty("type").GetString(), StringComparison.Ordinal);
        Assert.Contains("'few'", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("retry-after", headers, StringComparison.Ordinal);
        await docs.OpenDialogAsync();
        Assert.Equal(1, await docs.Page.GetByRole(AriaRole.Button, new() { Name = "Logout" }).CountAsync());
        await docs.AssertQuietAsync(reported: (JobPath, 429));
        await docs.AssertNotKeptAsync(World.MappingKey);
    }

    [Fact]
    public async Task A_user_who_logs_in_from_the_dialog_reads_a_job_with_the_session_until_logout()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, Few(2));
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.OpenDialogAsync();
        await LogInAsync(docs, docs.Scheme("session"), "alice");

        await docs.Page.GetByText("Logged in as Alice Ampère, team mapping.").WaitForAsync();
        Assert.Equal(new Uri(world.Gateway.Address, "docs/index.html").AbsoluteUri, docs.Page.Url);
        await docs.FillAsync(Workflow, Job);
        var (status, job, _) = await docs.ExecuteAsync();
        Assert.Equal(("200", Job), (status, job.GetProperty("id").GetString()));

        // The page sends the token without the session, because two credentials would be refused.
        await docs.AuthoriseAsync("bearer", provider.AccessToken("carol"));
        Assert.Equal("200", (await docs.ExecuteAsync()).Status);
        Assert.Equal("429", (await docs.ExecuteAsync()).Status);
        await docs.OpenDialogAsync();
        await docs.Scheme("bearer").GetByRole(AriaRole.Button, new() { Name = "Logout" }).PressEnterAsync();
        Assert.Contains("Alice", await docs.Scheme("session").InnerTextAsync(), StringComparison.Ordinal);
        await docs.CloseDialogAsync();
        Assert.Equal("429", (await docs.ExecuteAsync()).Status);

        await docs.Page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).PressEnterAsync();
        await docs.Page.GetByRole(AriaRole.Link, new() { Name = "Log in" }).WaitForAsync();
        await docs.FillAsync(Workflow, Job);
        Assert.Equal("401", (await docs.ExecuteAsync()).Status);
        await docs.AssertQuietAsync(provider.Address, (JobPath, 429), (JobPath, 429), (JobPath, 401));
    }

    [Fact]
    public async Task Without_login_and_tokens_the_page_does_not_mention_them()
    {
        await using var world = await World.StartAsync();
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.OpenDialogAsync();

        Assert.Equal(3, await docs.Page.Locator(".auth-container").CountAsync());
        Assert.DoesNotMatch("(?i)log in|session|jwt", await docs.Page.Locator(".modal-ux").InnerTextAsync());
        Assert.Equal("", await docs.Page.Locator("#session").InnerTextAsync());
        await docs.AssertQuietAsync();
    }

    [Fact]
    public async Task A_private_contract_is_shown_and_can_be_tried_after_a_valid_key_is_entered()
    {
        await using var world = await World.StartAsync(("Contract:Public", "false"));
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.Page.GetByText("shows its contract to its callers only. Enter a gateway key.").WaitForAsync();
        Assert.DoesNotContain("/openapi", await docs.Page.Locator("body").InnerTextAsync(), StringComparison.Ordinal);
        await docs.Page.GetByLabel("Key or token").FillAsync("wrong");
        await docs.Page.GetByRole(AriaRole.Button, new() { Name = "Show" }).PressEnterAsync();
        await docs.Page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "The key is not known." }).WaitForAsync();

        await docs.Page.GetByLabel("Key or token").FillAsync(World.SurveyKey);
        await docs.Page.GetByRole(AriaRole.Button, new() { Name = "Show" }).PressEnterAsync();
        await docs.FillAsync(Workflow, Job);

        Assert.Equal("200", (await docs.ExecuteAsync()).Status);
        await docs.AssertQuietAsync(reported: ("openapi/v0.json", 401));
        await docs.AssertNotKeptAsync(World.SurveyKey);
    }

    [Fact]
    public async Task A_private_contract_is_shown_while_the_user_is_logged_in()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, ("Contract:Public", "false"));
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.Page.GetByText("Log in, or enter a gateway key or a token.").WaitForAsync();
        await LogInAsync(docs, docs.Page.Locator("#session"), "bob");
        await docs.FillAsync(Workflow, Job);
        Assert.Equal("200", (await docs.ExecuteAsync()).Status);

        await docs.Page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).PressEnterAsync();
        await docs.Page.GetByText("Log in, or enter a gateway key or a token.").WaitForAsync();
        Assert.Equal(0, await docs.Page.Locator(".swagger-ui").CountAsync());
        await docs.AssertQuietAsync(provider.Address);
    }

    [Fact]
    public async Task The_page_calls_its_own_gateway_below_a_path_base_despite_a_configured_server_URL()
    {
        await using var world = await World.StartAsync(
            ("PathBase", "/gw"), ("Contract:ServerUrl", "https://jobs.example.com/api"));
        await using var docs = await DocsPage.OpenAsync(
            await browser.OpenAsync(), new Uri(world.Gateway.Address, "gw/"));
        await docs.AuthoriseAsync("apiKey", World.MappingKey);
        await docs.FillAsync(Workflow, Job);

        Assert.Equal("200", (await docs.ExecuteAsync()).Status);
        Assert.All(docs.Tab.Requests.Where(request => request.Scheme != "data"),
            request => Assert.StartsWith("/gw/", request.AbsolutePath, StringComparison.Ordinal));
        await docs.AssertQuietAsync();
    }

    [Fact]
    public async Task The_dialog_begins_with_the_gateway_key_keeps_the_focus_and_returns_it()
    {
        await using var world = await World.StartAsync();
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        var keyboard = docs.Page.Keyboard;
        await docs.OpenDialogAsync();
        var dialog = docs.Page.GetByRole(AriaRole.Dialog, new() { Name = "Credentials" });
        await dialog.WaitForAsync();
        await UntilFocusedAsync(docs, "Value: apiKey");
        Assert.Equal(["apiKey", "authorization", "bearer"], await dialog.Locator("h4 code").AllInnerTextsAsync());

        var stops = new List<bool>();
        foreach (var key in Enumerable.Repeat("Tab", 12).Concat(Enumerable.Repeat("Shift+Tab", 12)))
        {
            await keyboard.PressAsync(key);
            stops.Add(await dialog.Locator(":focus").CountAsync() == 1);
        }
        Assert.DoesNotContain(false, stops);
        await UntilFocusedAsync(docs, "Value: apiKey");

        await keyboard.TypeAsync(World.MappingKey);
        await keyboard.PressAsync("Enter");
        await UntilFocusedAsync(docs, "Logout");
        await keyboard.PressAsync("Enter");
        await docs.Page.WaitForFunctionAsync("() => document.activeElement.closest('.modal-ux')");
        await keyboard.PressAsync("Escape");
        await UntilFocusedAsync(docs, "Authorize");
        Assert.Equal(0, await dialog.CountAsync());
        await docs.AssertQuietAsync();
    }

    [Fact]
    public async Task Execute_and_Clear_keep_the_focus_and_no_made_up_example_is_sent()
    {
        await using var world = await World.StartAsync();
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.AuthoriseAsync("apiKey", World.MappingKey);
        await docs.FillAsync(Workflow, Job);
        var parameters = docs.Page.Locator("#operations-Jobs-getJobById .parameters");
        Assert.Equal([Workflow, Job, "", ""], await parameters.Locator("input").EvaluateAllAsync<string[]>(
            "inputs => inputs.map(input => input.value)"));
        Assert.Contains("Example: wait=30", await parameters.InnerTextAsync(), StringComparison.Ordinal);

        for (var time = 0; time < 2; time++)
        {
            var response = docs.Page.WaitForResponseAsync(new Regex(Regex.Escape(JobPath)));
            await docs.Page.Locator(".execute").PressEnterAsync();
            await response;
            await docs.Page.Locator(".live-responses-table .response").WaitForAsync();
            await UntilFocusedAsync(docs, "Execute");
        }
        await docs.Page.Locator(".btn-clear").PressEnterAsync();
        await docs.Page.Locator(".live-responses-table").WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await UntilFocusedAsync(docs, "Execute");

        // A click beside all elements takes the focus away, and the page does not bring it back.
        await docs.Page.Locator(".info .title").ClickAsync();
        Assert.Equal("BODY", await docs.Page.EvaluateAsync<string>("() => document.activeElement.tagName"));
    }

    [Fact]
    public async Task A_list_begins_with_an_empty_item_that_has_a_name_and_every_element_shows_that_it_has_the_focus()
    {
        await using var world = await World.StartAsync();
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        var batch = docs.Page.Locator("#operations-Jobs-getJobs");
        await batch.Locator(".opblock-summary-control").PressEnterAsync();
        await batch.GetByText("Add string item").PressEnterAsync();
        await batch.GetByRole(AriaRole.Textbox, new() { Name = "job, item 1" }).WaitForAsync();
        Assert.Equal("", await batch.GetByLabel("job, item 1").InputValueAsync());
        await batch.GetByText("Add string item").PressEnterAsync();
        await batch.GetByLabel("Remove item 2 of job").PressEnterAsync();
        await batch.GetByLabel("job, item 2").WaitForAsync(new() { State = WaitForSelectorState.Detached });

        await docs.Page.GotoAsync(docs.Page.Url);
        await docs.Page.Locator(".models-control").WaitForAsync();
        var hidden = new List<string>();
        for (var stop = 0; stop < 40; stop++)
        {
            await docs.Page.Keyboard.PressAsync("Tab");
            hidden.Add(await docs.Page.EvaluateAsync<string>("""
                () => getComputedStyle(document.activeElement).outlineStyle === 'none'
                    ? document.activeElement.outerHTML.slice(0, 200) : ''
                """));
        }
        Assert.Equal([], hidden.Where(element => element.Length > 0));
    }

    [Theory]
    [InlineData(360)]
    [InlineData(320)]
    public async Task A_narrow_window_leaves_room_for_an_identifier(int width)
    {
        await using var world = await World.StartAsync();
        await using var docs = await DocsPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await docs.Page.SetViewportSizeAsync(width, 740);
        await docs.AuthoriseAsync("apiKey", World.MappingKey);
        await docs.FillAsync(Workflow, Job);
        await docs.ExecuteAsync();
        var batch = docs.Page.Locator("#operations-Jobs-getJobs");
        await batch.Locator(".opblock-summary-control").PressEnterAsync();
        await batch.GetByText("Add string item").PressEnterAsync();
        await batch.Locator(".json-schema-form-item input").FillAsync(new string('w', 257));

        foreach (var input in await docs.Page.Locator(".parameters input").AllAsync())
        {
            var box = await input.BoundingBoxAsync();
            Assert.InRange(box!.Width, 180, width);
        }
        Assert.Equal(width, await docs.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task The_page_has_no_accessibility_violations_and_fits_a_window_of_360_pixels(ColorScheme scheme)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        // axe injects a script, which the page's Content-Security-Policy would block.
        await using var docs = await DocsPage.OpenAsync(
            await browser.OpenAsync(bypassPolicy: true), world.Gateway.Address);
        // Colours in the middle of a transition are not the page's real colours.
        await docs.Page.EmulateMediaAsync(new() { ReducedMotion = ReducedMotion.Reduce, ColorScheme = scheme });
        await docs.Page.SetViewportSizeAsync(360, 740);
        await docs.Page.Locator("#operations-Jobs-getJobById").WaitForAsync();
        var brightness = await docs.Page.EvaluateAsync<int>(
            "() => Number(getComputedStyle(document.querySelector('.swagger-ui')).color.match(/[0-9]+/)[0])");
        Assert.Equal(scheme == ColorScheme.Dark, brightness > 128);
        await AssertAccessibleAsync(docs, "as it opens");

        await docs.OpenDialogAsync();
        await docs.Scheme("session").WaitForAsync();
        await AssertAccessibleAsync(docs, "with the dialog");
        await docs.CloseDialogAsync();

        await docs.AuthoriseAsync("apiKey", World.MappingKey);
        await docs.FillAsync(Workflow, Job);
        await docs.ExecuteAsync();
        await AssertAccessibleAsync(docs, "with an answer");

        await docs.Page.GetByRole(AriaRole.Tab, new() { Name = "Schema" }).First.PressEnterAsync();
        await AssertAccessibleAsync(docs, "with a schema");

        await docs.Page.Locator("#operations-Jobs-getJobs .opblock-summary-control").PressEnterAsync();
        await docs.Page.GetByText("Add string item").PressEnterAsync();
        await docs.Page.Locator(".json-schema-form-item input").WaitForAsync();
        await AssertAccessibleAsync(docs, "with a list");

        world.Gateway.Reconfigure(("Contract:Public", "false"));
        await docs.Page.ReloadAsync();
        await docs.Page.GetByLabel("Key or token").WaitForAsync();
        await AssertAccessibleAsync(docs, "where it asks for a key");
    }

    [Theory]
    [InlineData("docs/index.html", "no-cache")]
    [InlineData("docs/docs.js", "no-cache")]
    [InlineData("docs/swagger-ui-bundle.js", "max-age=0, private")]
    public async Task A_file_of_the_page_is_revalidated_by_its_entity_tag(string path, string caching)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var first = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        client.DefaultRequestHeaders.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.NotModified], [first.StatusCode, second.StatusCode]);
        Assert.Equal(CacheControlHeaderValue.Parse(caching), first.Headers.CacheControl);
    }

    private static async Task LogInAsync(DocsPage docs, ILocator place, string user)
    {
        await place.GetByRole(AriaRole.Link, new() { Name = "Log in" }).PressEnterAsync();
        await docs.Page.FillAsync("#user", user);
        await docs.Page.Locator("#sign-in").PressEnterAsync();
        await docs.Page.WaitForURLAsync("**/docs/index.html");
    }

    /// <summary>Waits until the element with the focus has this name or text.</summary>
    private static async Task UntilFocusedAsync(DocsPage docs, string name) => await docs.Page.WaitForFunctionAsync(
        "name => [document.activeElement.ariaLabel, document.activeElement.innerText].includes(name)", name);

    private static async Task AssertAccessibleAsync(DocsPage docs, string state)
    {
        var found = await docs.Page.RunAxe();
        Assert.NotEmpty(found.Passes);
        Assert.Equal(360, await docs.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        var grave = found.Violations.Where(violation => violation.Impact is not "minor")
            .SelectMany(
            violation =>
                violation.Nodes.Select(
                    node => $"{state}: {violation.Id} at {node.Target}: {violation.Help} {node.Html} "
                    + $"{string.Join(' ', node.Any.Select(check => check.Message))}"));
        Assert.Equal([], grave);
    }
}
