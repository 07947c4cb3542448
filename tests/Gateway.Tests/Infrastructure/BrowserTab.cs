using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Gateway.Tests.Infrastructure;

/// <summary>A tab that records its errors. Disposing of it closes its browser context with all tabs.</summary>
internal sealed class BrowserTab : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _errors = new(), _warnings = new(), _failures = new();
    private readonly ConcurrentQueue<Uri> _requests = new();

    public BrowserTab(IPage page)
    {
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type == "error") _errors.Enqueue($"{message.Text} ({message.Location})");
            if (message.Type == "warning") _warnings.Enqueue($"{message.Text} ({message.Location})");
        };
        page.Request += (_, request) => _requests.Enqueue(new Uri(request.Url));
        page.PageError += (_, error) => _errors.Enqueue(error);
        page.RequestFailed += (_, request) => _failures.Enqueue($"{request.Method} {request.Url}: {request.Failure}");
        page.Response += (_, response) =>
        {
            if (response.Status >= 400)
                _failures.Enqueue($"{response.Request.Method} {response.Url}: {response.Status}");
        };
    }

    public IPage Page { get; }

    public IBrowserContext Context => Page.Context;

    /// <summary>
    /// Errors of the console: exceptions of scripts, and loads that the browser refused, for example by policy.
    /// </summary>
    public IReadOnlyList<string> ConsoleErrors => [.. _errors];

    public IReadOnlyList<string> ConsoleWarnings => [.. _warnings];

    /// <summary>All requests of the tab, answered or not.</summary>
    public IReadOnlyList<Uri> Requests => [.. _requests];

    /// <summary>Requests without an answer, or with a status of 400 and above.</summary>
    public IReadOnlyList<string> FailedRequests => [.. _failures];

    /// <summary>Another tab of the same user.</summary>
    public async Task<BrowserTab> OpenAnotherAsync() => new(await Context.NewPageAsync());

    public async ValueTask DisposeAsync() => await Context.CloseAsync();
}
