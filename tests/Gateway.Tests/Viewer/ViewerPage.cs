using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;
using Simulator;

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

    /// <summary>Opens the page of a job with a key, and waits until the job is shown with this state.</summary>
    public static async Task<ViewerPage> ShowAsync(Browser browser, World world, string job, string state)
    {
        var view = await OpenAsync(await browser.OpenAsync(), world.Gateway.Address, job);
        await view.EnterKeyAsync();
        await view.StateAsync(state);
        return view;
    }

    /// <summary>Makes the upstream answer with this job.</summary>
    public static void Answer(World world, string job, string body) => world.Upstream.Faults.Add(
        new Fault { Job = job, Kind = FaultKind.Status, Status = 200, Body = body });

    public async Task EnterKeyAsync(string key = World.MappingKey)
    {
        await Page.GetByLabel("Gateway key").FillAsync(key);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Show the job" }).PressEnterAsync();
    }

    /// <summary>Logs in at the identity provider.</summary>
    public async Task LogInAsync(string user)
    {
        await Page.Locator("#login").GetByRole(AriaRole.Link, new() { Name = "Log in" }).PressEnterAsync();
        await Page.FillAsync("#user", user);
        await Page.Locator("#sign-in").PressEnterAsync();
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
