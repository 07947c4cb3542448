using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;

namespace Gateway.Tests.Viewer;

/// <summary>The viewer in a browser tab, operated like a user does.</summary>
internal sealed class ViewerPage(BrowserTab tab, Uri gateway) : IAsyncDisposable
{
    // Generous, because the machine may be busy.
    private static readonly LocatorWaitForOptions Patiently = new() { Timeout = 60_000 };

    public BrowserTab Tab => tab;

    public IPage Page => tab.Page;

    public ILocator Node(string task) => Page.Locator(".node").Filter(new() { HasText = task });

    /// <summary>Opens the page of a job, or the form.</summary>
    public static async Task<ViewerPage> OpenAsync(
        BrowserTab tab, Uri gateway, string? job = null, string workflow = "survey-1")
    {
        var path = job is null ? "view" : $"view/workflows/{workflow}/jobs/{job}";
        await tab.Page.GotoAsync(new Uri(gateway, path).AbsoluteUri);
        return new ViewerPage(tab, gateway);
    }

    public async Task EnterKeyAsync(string key = World.MappingKey)
    {
        await Page.GetByLabel("Gateway key").FillAsync(key);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Show the job" }).PressEnterAsync();
    }

    /// <summary>Waits until the job is shown with this state.</summary>
    public Task StateAsync(string word) =>
        Page.Locator("#state-word").Filter(new() { HasTextRegex = new($"^{word}$") }).WaitForAsync(Patiently);

    /// <summary>Waits until the page says this about its connection.</summary>
    public Task LinkAsync(string word) =>
        Page.Locator("#link").Filter(new() { HasTextRegex = new($"^{word}$") }).WaitForAsync(Patiently);

    public Task BannerAsync(string text) =>
        Page.Locator("#banner").Filter(new() { HasText = text }).WaitForAsync(Patiently);

    public Task NoBannerAsync() =>
        Page.Locator("#banner").WaitForAsync(new() { State = WaitForSelectorState.Hidden, Timeout = 60_000 });

    public Task<string> TextAsync(string selector) => Page.Locator(selector).InnerTextAsync();

    /// <summary>Asserts that nothing is wider than the page.</summary>
    public async Task AssertFitsAsync()
    {
        var widths = await Page.EvaluateAsync<int[]>("() => [document.documentElement.scrollWidth, innerWidth]");
        Assert.True(widths[0] <= widths[1], $"The page is {widths[0]} wide, and the window {widths[1]}.");
    }

    /// <summary>Asserts that no script of a later page could read the secret.</summary>
    public async Task AssertNotKeptAsync(string secret)
    {
        var kept = await Page.EvaluateAsync<string>(
            "() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, history.state])");
        Assert.Equal("[\"\",{},{},null]", kept);
        Assert.DoesNotContain(secret, Page.Url, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, await Page.ContentAsync(), StringComparison.Ordinal);
        Assert.All(tab.Requests,
            request => Assert.DoesNotContain(secret, request.AbsoluteUri, StringComparison.Ordinal));
    }

    /// <summary>
    /// Asserts that the page asked only this gateway, and that the browser reported nothing, above all no violation of
    /// the content security policy.
    /// </summary>
    public void AssertQuiet(Uri? provider = null)
    {
        Assert.All(tab.Requests, request => Assert.Contains(
            request.GetLeftPart(UriPartial.Authority),
            new[] { gateway, provider ?? gateway }.Select(one => one.GetLeftPart(UriPartial.Authority))));
        Assert.Empty(tab.ConsoleErrors);
    }

    public ValueTask DisposeAsync() => tab.DisposeAsync();
}
