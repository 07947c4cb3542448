using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;

namespace Gateway.Tests.Contract;

/// <summary>Swagger UI at <c>/docs</c> in a browser tab, operated like a user does.</summary>
internal sealed class DocsPage(BrowserTab tab, Uri gateway) : IAsyncDisposable
{
    public BrowserTab Tab => tab;

    public IPage Page => tab.Page;

    private ILocator Operation => Page.Locator("#operations-Jobs-getJobById");

    /// <param name="gateway">The base address of the gateway, which has the page at <c>docs</c>.</param>
    public static async Task<DocsPage> OpenAsync(BrowserTab tab, Uri gateway)
    {
        await tab.Page.GotoAsync(new Uri(gateway, "docs").AbsoluteUri);
        return new DocsPage(tab, gateway);
    }

    public Task OpenDialogAsync() => Page.Locator(".btn.authorize >> visible=true").PressEnterAsync();

    public Task CloseDialogAsync() => Page.GetByRole(AriaRole.Button, new() { Name = "Close" }).First.PressEnterAsync();

    /// <summary>The part of the dialog for one security scheme.</summary>
    public ILocator Scheme(string name) =>
        Page.Locator(".auth-container")
            .Filter(new() { Has = Page.Locator("h4", new() { HasTextRegex = new($"^{name}\\b") }) });

    public async Task AuthoriseAsync(string scheme, string value)
    {
        await OpenDialogAsync();
        await Scheme(scheme).Locator("input").FillAsync(value);
        await Scheme(scheme).GetByRole(AriaRole.Button, new() { Name = "Authorize" }).PressEnterAsync();
        await Scheme(scheme).GetByRole(AriaRole.Button, new() { Name = "Logout" }).WaitForAsync();
        await CloseDialogAsync();
    }

    /// <summary>Opens the operation and enters the address of a job.</summary>
    public async Task FillAsync(string workflow, string job)
    {
        await Operation.Locator(".opblock-summary-control").PressEnterAsync();
        await Operation.Locator("[data-param-name=workflow_id] input").FillAsync(workflow);
        await Operation.Locator("[data-param-name=job_id] input").FillAsync(job);
    }

    /// <summary>Executes the operation and reads the response from the page.</summary>
    public async Task<(string Status, JsonElement Body, string Headers)> ExecuteAsync()
    {
        // Clear the previous response, so that it is not mistaken for the new one.
        if (await Operation.Locator(".btn-clear").IsVisibleAsync())
        {
            await Operation.Locator(".btn-clear").PressEnterAsync();
        }
        await Operation.Locator(".execute").PressEnterAsync();
        var answer = Operation.Locator(".live-responses-table .response");
        var status = await answer.Locator(".response-col_status").InnerTextAsync();
        var body = await answer.Locator(".highlight-code pre").InnerTextAsync();
        var headers = await answer.Locator("pre.microlight", new() { Has = Page.Locator(".headerline") })
            .InnerTextAsync();
        return (status.Trim(), JsonElement.Parse(body), headers);
    }

    /// <summary>The command line that the page shows next to the response.</summary>
    public Task<string> CommandAsync() => Operation.Locator(".curl").InnerTextAsync();

    /// <summary>
    /// Asserts that the page called no other server, and that the console has only the browser's reports of these
    /// responses.
    /// </summary>
    public async Task AssertQuietAsync(Uri? alsoAllowed = null, params (string Path, int Status)[] reported)
    {
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => tab.ConsoleErrors.Count >= reported.Length,
            "the browser reports the failed requests");
        Assert.NotEmpty(tab.Requests);
        Assert.All(tab.Requests, request => Assert.True(request.Scheme is "data"
            || request.Authority == gateway.Authority
            || request.Authority == alsoAllowed?.Authority, request.AbsoluteUri));
        Assert.Empty(tab.ConsoleWarnings);
        Assert.Equal(reported.Length, tab.ConsoleErrors.Count);
        foreach (var ((path, status), error) in reported.Zip(tab.ConsoleErrors))
        {
            Assert.Matches(
                $"^Failed to load resource: the server responded with a status of {status} \\(.*\\) "
                + $"\\({new Uri(gateway, path)}:", error);
        }
        // Requests that the browser aborts on navigation are not failures.
        Assert.Equal(reported.Select(one => $"GET {new Uri(gateway, one.Path)}: {one.Status}"),
            tab.FailedRequests.Where(failure => !failure.EndsWith(": net::ERR_ABORTED", StringComparison.Ordinal)));
    }

    /// <summary>Asserts that no script of a later page could read the secret.</summary>
    public async Task AssertNotKeptAsync(string secret)
    {
        var kept = await Page.EvaluateAsync<string>(
            "() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }])");
        Assert.Equal("[\"\",{},{}]", kept);
        Assert.DoesNotContain(secret, Page.Url, StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => tab.DisposeAsync();
}
