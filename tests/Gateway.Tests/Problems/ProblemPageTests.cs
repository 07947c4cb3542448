using Deque.AxeCore.Playwright;
using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;

namespace Gateway.Tests.Problems;

/// <summary>Tests the page that a person sees instead of a problem, with a real browser.</summary>
public sealed class ProblemPageTests(Browser browser)
{
    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task The_page_is_accessible_and_fits_a_narrow_screen(ColorScheme scheme)
    {
        await using var world = await World.StartAsync();
        // axe injects a script, which the page's Content-Security-Policy would block.
        await using var tab = await browser.OpenAsync(bypassPolicy: true);
        await tab.Page.SetViewportSizeAsync(360, 640);
        await tab.Page.EmulateMediaAsync(new() { ColorScheme = scheme });

        await tab.Page.GotoAsync(new Uri(world.Gateway.Address, "view/absent").AbsoluteUri);

        var found = await tab.Page.RunAxe();
        Assert.Empty(found.Violations.Select(violation => $"{violation.Impact} {violation.Id}: {violation.Help}"));
        Assert.True(await tab.Page.EvaluateAsync<bool>(
            "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"));
        Assert.NotEqual(scheme == ColorScheme.Light ? "rgb(16, 21, 27)" : "rgb(243, 245, 248)",
            await tab.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor"));
    }

    [Theory]
    [InlineData("view/absent", 32)]
    [InlineData("view", 30)]
    public async Task Text_grows_with_the_size_that_the_user_has_set_in_the_browser(string path, int size)
    {
        await using var world = await World.StartAsync();
        await using var tab = await browser.OpenAsync();
        var protocol = await tab.Context.NewCDPSessionAsync(tab.Page);
        await protocol.SendAsync("Page.setFontSizes",
            new() { ["fontSizes"] = new Dictionary<string, int> { ["standard"] = 32 } });

        await tab.Page.GotoAsync(new Uri(world.Gateway.Address, path).AbsoluteUri);

        Assert.Equal($"{size}px",
            await tab.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).fontSize"));
    }

    [Fact]
    public async Task The_policy_allows_the_style_and_nothing_else()
    {
        await using var world = await World.StartAsync();
        await using var tab = await browser.OpenAsync();

        await tab.Page.GotoAsync(
            new Uri(world.Gateway.Address, "v0/workflows/survey-1/jobs/finished-1").AbsoluteUri);

        Assert.Equal("No valid credential", await tab.Page.InnerTextAsync("h1"));
        Assert.NotEqual("rgba(0, 0, 0, 0)",
            await tab.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor"));
        Assert.DoesNotContain(tab.ConsoleErrors, error => error.Contains("Policy", StringComparison.Ordinal));
        await tab.Page.GetByText("Look at this job").ClickAsync();
        await tab.Page.WaitForURLAsync("**/view/workflows/survey-1/jobs/finished-1");
    }
}
