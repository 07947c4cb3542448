using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Infrastructure;

/// <summary>An origin for one test, with one page at every path. It records its visits.</summary>
internal sealed class TestPage : IAsyncDisposable
{
    private readonly ConcurrentQueue<Visit> _visits = new();
    private readonly WebApplication _app;

    private TestPage(Certificate? https)
    {
        var port = ChildProcess.FreePort();
        Address = new Uri(https is null ? $"http://127.0.0.1:{port}/" : $"https://localhost:{port}/");
        _app = Loopback.Server(port, https?.Value).Build();
        _app.Run(AnswerAsync);
    }

    /// <summary>
    /// The address, for example <c>http://127.0.0.1:12345/</c> or <c>https://localhost:12345/</c>. To a browser it is
    /// another origin than a gateway on this machine, and the same site.
    /// </summary>
    public Uri Address { get; }

    /// <summary>
    /// The content of the page's body. It can change at any time, for example to contain the page's own address.
    /// </summary>
    public string Body { get; set; } = "<p>A page</p>";

    public IReadOnlyList<Visit> Visits => [.. _visits];

    /// <param name="https">The certificate, or null for plain HTTP.</param>
    public static async Task<TestPage> StartAsync(string? body = null, Certificate? https = null)
    {
        var page = new TestPage(https);
        if (body is not null) page.Body = body;
        await page._app.StartAsync();
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        var headers = request.Headers.ToDictionary(
            one => one.Key, one => one.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        _visits.Enqueue(new Visit(request.Method, new Uri(Address, $"{request.Path}{request.QueryString}"), headers));
        context.Response.ContentType = "text/html; charset=utf-8";
        // The icon link keeps the browser from requesting one.
        await context.Response.WriteAsync($"""
            <!doctype html><html lang="en"><head><title>Page</title><link rel="icon" href="data:,"></head>
            <body>{Body}</body></html>
            """);
    }

    internal sealed record Visit(string Method, Uri Address, IReadOnlyDictionary<string, string> Headers);
}
