using Gateway.Problems;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Problems;

/// <summary>Tests which requests get a page, by the headers that browsers and programs send.</summary>
[Trait("Kind", "Unit")]
public sealed class ProblemPageWantedTests
{
    private const string Chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
        + "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

    private const string Firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    [Theory]
    [InlineData("Chrome", Chrome, "navigate")]
    [InlineData("Firefox", Firefox, "navigate")]
    [InlineData("Firefox 100", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "navigate")]
    [InlineData("Safari", Firefox, "navigate")]
    [InlineData("Safari 15, or a browser without https", Firefox, null)]
    [InlineData("Chrome, without https", Chrome, null)]
    [InlineData("Lynx", "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01", null)]
    [InlineData("a webview that says that it navigates", "text/html", "navigate")]
    [InlineData("a reader that takes JSON as well", "text/html, application/xhtml+xml, application/json;q=0.9", null)]
    [InlineData("upper case", "TEXT/HTML,APPLICATION/XHTML+XML,*/*;Q=0.8", null)]
    public void A_browser_that_navigates_gets_a_page(string browser, string accept, string? mode) =>
        Assert.True(IsWanted(accept, mode), browser);

    [Theory]
    [InlineData("curl, Python, Go, and fetch of Node", "*/*", null)]
    [InlineData("no Accept", null, null)]
    [InlineData("no Accept, although it navigates", null, "navigate")]
    [InlineData("Java's HttpURLConnection", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", null)]
    [InlineData("Java's HttpURLConnection since 23", "text/html, image/gif, image/jpeg, */*; q=0.2", null)]
    [InlineData("axios", "application/json, text/plain, */*", null)]
    [InlineData("axios in a browser", "application/json, text/plain, */*", "cors")]
    [InlineData("fetch of a browser", "*/*", "cors")]
    [InlineData("fetch that asks for HTML", Firefox, "cors")]
    [InlineData("a frame without CORS", Firefox, "no-cors")]
    [InlineData("jQuery", "application/json, text/javascript, */*; q=0.01", "cors")]
    [InlineData("EventSource", "text/event-stream", "cors")]
    [InlineData("HTML alone", "text/html", null)]
    [InlineData("HTML refused", "text/html;q=0, application/xhtml+xml, */*;q=0.5", null)]
    [InlineData("HTML refused, although it navigates", "text/html;q=0, */*", "navigate")]
    [InlineData("XHTML refused", "text/html, application/xhtml+xml;q=0", null)]
    [InlineData("a problem first", "application/problem+json, text/html;q=0.1", null)]
    [InlineData("a problem first, although it navigates", "application/problem+json, text/html;q=0.1", "navigate")]
    [InlineData("JSON first", "application/json, text/html;q=0.9, application/xhtml+xml;q=0.9", "navigate")]
    [InlineData("JSON equally", "text/html, application/xhtml+xml, application/json", "navigate")]
    [InlineData("any application equally", "text/html, application/xhtml+xml, application/*", "navigate")]
    [InlineData("JSON over a weak range", "text/html;q=0.5, application/xhtml+xml, application/json;q=0.6, */*;q=0.1",
        null)]
    [InlineData("no media range", "html, application", "navigate")]
    public void A_program_gets_the_problem(string program, string? accept, string? mode) =>
        Assert.False(IsWanted(accept, mode), program);

    [Theory]
    [InlineData("X-Api-Key", "gw_1")]
    [InlineData("Authorization", "Bearer x")]
    [InlineData("Authorization", "gw_1")]
    public void A_caller_that_sends_its_own_credential_is_a_program(string header, string value)
    {
        Assert.False(IsWanted(Firefox, "navigate", (header, value)));
        Assert.False(IsWanted(Firefox, mode: null, (header, value)));
    }

    [Fact]
    public void A_range_that_names_a_type_counts_before_one_that_includes_it()
    {
        Assert.True(IsWanted(
            "application/json;q=0.1, application/problem+json;q=0.1, text/html;q=0.5, */*", "navigate"));
        Assert.False(IsWanted("text/html;q=0.1, text/*, */*;q=0.2", "navigate"));
    }

    private static bool IsWanted(string? accept, string? mode, params (string Name, string Value)[] others)
    {
        var request = new DefaultHttpContext().Request;
        if (accept is not null) request.Headers.Accept = accept;
        if (mode is not null) request.Headers["Sec-Fetch-Mode"] = mode;
        foreach (var (name, value) in others) request.Headers[name] = value;
        return ProblemPage.IsWanted(request);
    }
}
