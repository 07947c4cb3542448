using System.Text.Json;
using Deque.AxeCore.Playwright;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.Playwright;
using Simulator;

namespace Gateway.Tests.Viewer;

/// <summary>Tests the pages that show a job to people, in a real browser.</summary>
public sealed class ViewerTests(Browser browser)
{
    /// <summary>A job that runs for an hour, unless a test moves it.</summary>
    private const string LongJob = "run-3600.wide";

    [Fact]
    public async Task A_reader_with_a_key_sees_a_job_change_to_its_end()
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address);
        await view.Page.GetByLabel("Workflow id, or workflow/job").FillAsync("survey-1/run-12.wide");
        await view.EnterKeyAsync();

        await view.StateAsync("Running");
        await view.LinkAsync("Live");
        Assert.EndsWith("/view/workflows/survey-1/jobs/run-12.wide", view.Page.Url, StringComparison.Ordinal);
        Assert.Equal(12, await view.Page.Locator(".node").CountAsync());
        await view.StateAsync("Done");
        await view.Page.Locator("#headline").GetByText("All 12 tasks are done.").WaitForAsync();

        Assert.Contains(view.Tab.Requests,
            request => request.AbsolutePath.EndsWith("/run-12.wide/events", StringComparison.Ordinal));
        Assert.Equal(12, await view.Page.Locator(".node[data-kind=done]").CountAsync());
        Assert.Equal(12, await view.Page.Locator(".rows li .bar >> visible=true").CountAsync());
        Assert.StartsWith("Done · run-12.wide", await view.Page.TitleAsync(), StringComparison.Ordinal);
        view.AssertQuiet();
        await view.AssertNotKeptAsync(World.MappingKey);
    }

    [Fact]
    public async Task A_reader_with_a_session_sees_a_job_change_to_its_end_and_logs_out()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        await using var view = await ViewerPage.OpenAsync(
            await browser.OpenAsync(), world.Gateway.Address, LongJob);
        await view.LogInAsync("alice");

        world.Upstream.Lives.Set(LongJob, LifeStage.Running);
        await view.StateAsync("Running");
        Assert.EndsWith($"/view/workflows/survey-1/jobs/{LongJob}", view.Page.Url, StringComparison.Ordinal);
        Assert.Contains("Alice", await view.TextAsync("#session"), StringComparison.Ordinal);
        world.Upstream.Lives.Set(LongJob, LifeStage.Failed);
        await view.StateAsync("Failed");
        await view.LinkAsync("Ended");
        Assert.Contains(view.Tab.Requests,
            request => request.AbsolutePath.EndsWith($"/{LongJob}/events", StringComparison.Ordinal));

        await view.Page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).PressEnterAsync();
        await view.Page.GetByLabel("Gateway key").WaitForAsync();
        view.AssertQuiet(provider.Address);
    }

    [Fact]
    public async Task A_failed_job_says_what_failed_and_why_before_anything_else()
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.ShowAsync(browser, world, "fail.wide", "Failed");

        await view.LinkAsync("Ended");
        Assert.Equal("mosaic failed. 7 of 12 tasks are done.", await view.TextAsync("#headline"));
        var failure = view.Page.GetByRole(AriaRole.Region, new() { Name = "What failed, and why" });
        var text = await failure.InnerTextAsync();
        Assert.Contains("mosaic expects 4 bands, cloud-mask delivers 3", text, StringComparison.Ordinal);
        Assert.Contains("VALIDATION", text, StringComparison.Ordinal);
        Assert.Contains("band count differs", text, StringComparison.Ordinal);
        // The failed task is open, with its fields decoded from bytes.
        Assert.Equal("mosaic", await view.TextAsync("#task-title"));
        await view.Page.Locator("#task summary").Filter(new() { HasText = "Inputs" }).PressEnterAsync();
        Assert.Contains("\"crs\": \"EPSG:32643\"",
            await view.Page.Locator("#task details[open] pre").InnerTextAsync(), StringComparison.Ordinal);
        view.AssertQuiet();
    }

    [Fact]
    public async Task A_job_that_is_too_large_for_events_is_shown_by_requests()
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.ShowAsync(browser, world, "finished-1.large", "Done");
        await view.LinkAsync("Ended");
        await view.Page.Locator("#raw summary").PressEnterAsync();
        await view.Page.Locator("#raw-text").GetByText("save the job as a file to see all of it").WaitForAsync();
    }

    [Fact]
    public async Task The_key_serves_each_job_that_the_reader_looks_at_until_a_reload()
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.ShowAsync(browser, world, "finished-1", "Done");
        await view.Page.GetByRole(AriaRole.Link, new() { Name = "Another job" }).PressEnterAsync();
        await view.Page.GetByLabel("Workflow id, or workflow/job").FillAsync("survey-1/fail");
        await view.Page.GetByRole(AriaRole.Button, new() { Name = "Show the job" }).PressEnterAsync();
        await view.StateAsync("Failed");
        Assert.True(await view.Page.Locator("#task").IsVisibleAsync());

        await view.Page.EvaluateAsync("() => history.go(-2)");
        await view.StateAsync("Done");
        Assert.False(await view.Page.Locator("#task").IsVisibleAsync());
        Assert.Equal("finished-1", await view.TextAsync("#job-title"));
        await view.Page.ReloadAsync();
        await view.Page.GetByLabel("Gateway key").WaitForAsync();
        Assert.False(await view.Page.Locator("#job").IsVisibleAsync());
    }

    [Fact]
    public async Task Text_of_a_job_is_never_markup()
    {
        await using var world = await World.StartAsync();
        const string Evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
        var job = JsonSerializer.Serialize(new
        {
            id = "evil",
            workflow_id = "survey-1",
            status = "failed",
            progress = Evil,
            created_by = Evil,
            spec = Evil,
            finished_at = "2025-01-01T00:00:00Z",
            val_errors = new[] { new { err = Evil, from = Evil, component_name = Evil } },
            tasks = new[]
            {
                new { name = Evil, status = "failed", err_msg = Evil, depends_on = new[] { Evil, "x" } },
                new { name = "two", status = Evil, err_msg = "", depends_on = new[] { Evil } },
            },
        });
        ViewerPage.Answer(world, "evil", job);
        await using var view = await ViewerPage.ShowAsync(browser, world, "evil", "Failed");
        await view.Node("two").PressEnterAsync();

        Assert.Contains(Evil, await view.TextAsync("#errors"), StringComparison.Ordinal);
        Assert.Equal(0, await view.Page.Locator("article img, article script").CountAsync());
        Assert.Contains("which is no task of this job", await view.TextAsync("#graph-notes"), StringComparison.Ordinal);
        await view.AssertFitsAsync();
        view.AssertQuiet();
    }

    [Fact]
    public async Task A_reader_reaches_each_task_by_keyboard_alone()
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.OpenAsync(
            await browser.OpenAsync(), world.Gateway.Address, "finished-1.wide");
        var keyboard = view.Page.Keyboard;
        await view.Page.Locator("#key:focus").WaitForAsync();
        await keyboard.TypeAsync(World.MappingKey);
        await keyboard.PressAsync("Enter");
        await view.StateAsync("Done");

        for (var tabs = 0; await FocusedAsync(view) != "ingest" && tabs < 20; tabs++) await keyboard.PressAsync("Tab");
        Assert.Equal("ingest", await FocusedAsync(view));
        foreach (var (key, task) in ((string, string)[])[("ArrowRight", "metadata-check"), ("ArrowDown", "radiometry"),
            ("ArrowRight", "orthorectify"), ("ArrowLeft", "radiometry"), ("End", "publish"), ("Home", "ingest")])
        {
            await keyboard.PressAsync(key);
            Assert.Equal(task, await FocusedAsync(view));
        }
        await keyboard.PressAsync("Enter");
        Assert.Equal("ingest", await view.TextAsync("#task-title"));
        Assert.Equal("task", await view.Page.EvaluateAsync<string>("() => document.activeElement.id"));
        await keyboard.PressAsync("Escape");
        Assert.False(await view.Page.Locator("#task").IsVisibleAsync());
        Assert.Equal("ingest", await FocusedAsync(view));
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task The_pages_have_no_serious_accessibility_violations_and_fit_a_narrow_screen(ColorScheme colours)
    {
        await using var world = await World.StartAsync();
        // axe injects a script, which the page's Content-Security-Policy would block.
        await using var view = await ViewerPage.OpenAsync(
            await browser.OpenAsync(bypassPolicy: true), world.Gateway.Address);
        await view.Page.EmulateMediaAsync(new() { ColorScheme = colours, ReducedMotion = ReducedMotion.Reduce });
        await view.Page.GetByLabel("Gateway key").WaitForAsync();
        await AssertAccessibleAsync(view, "the form");
        await view.Page.GotoAsync(new Uri(world.Gateway.Address, "view/workflows/!!/jobs/x").AbsoluteUri);
        await AssertAccessibleAsync(view, "an error page");
        await view.AssertFitsAsync();

        world.Upstream.Lives.Set("run-1.wide", LifeStage.Running);
        var longName = "finished-1-" + new string('x', 117);
        foreach (var (job, state) in ((string, string)[])[("run-1.wide", "Running"), (longName, "Done"),
            ("fail.wide", "Failed"), ("cancel.wide", "Stopped")])
        {
            await view.Page.SetViewportSizeAsync(1280, 900);
            await view.Page.GotoAsync(
                new Uri(world.Gateway.Address, $"view/workflows/survey-1/jobs/{job}").AbsoluteUri);
            await view.EnterKeyAsync();
            await view.StateAsync(state);
            await view.Page.EvaluateAsync("() => document.querySelectorAll('details').forEach(one => one.open = true)");
            await AssertAccessibleAsync(view, state);
            await view.Page.SetViewportSizeAsync(360, 740);
            await view.AssertFitsAsync();
        }
    }

    private static Task<string> FocusedAsync(ViewerPage view) => view.Page.EvaluateAsync<string>(
        "() => document.activeElement.querySelector(':scope > .name')?.textContent ?? document.activeElement.id");

    private static async Task AssertAccessibleAsync(ViewerPage view, string state)
    {
        var found = await view.Page.RunAxe();
        Assert.NotEmpty(found.Passes);
        var grave = found.Violations.Where(violation => violation.Impact is "serious" or "critical")
            .SelectMany(violation => violation.Nodes.Select(node =>
                $"{state}: {violation.Id} at {node.Target}: {violation.Help} {node.Html} "
                + $"{string.Join(' ', node.Any.Select(check => check.Message))}"));
        Assert.Equal([], grave);
    }
}
