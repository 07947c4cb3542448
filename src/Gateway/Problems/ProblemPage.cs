using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.Net.Http.Headers;

namespace Gateway.Problems;

/// <summary>
/// Shows a problem to a person: a small page, if a browser navigates and accepts pages. Programs, and scripts of pages,
/// get the problem as JSON.
/// </summary>
internal static class ProblemPage
{
    private const string Html = "text/html", Xhtml = "application/xhtml+xml";

    private const string Style = """
        :root {
          color-scheme: light dark;
          --page: #f3f5f8; --card: #fff; --text: #1b2430; --dim: #556070; --line: #d8dee7; --link: #1b4f9c;
        }
        @media (prefers-color-scheme: dark) {
          :root { --page: #10151b; --card: #19202a; --text: #e5eaf1; --dim: #a4b0bf; --line: #2e3947; --link: #8dbbff; }
        }
        body { margin: 0; padding: 8vh 1rem 1rem; background: var(--page); color: var(--text);
          font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
        main { max-width: 36rem; margin: 0 auto; padding: 1.5rem; background: var(--card);
          border: 1px solid var(--line); border-radius: 10px; }
        h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
        p { margin: 0 0 .75rem; }
        p:last-child { margin: 0; color: var(--dim); font-size: .875rem; }
        a { color: var(--link); }
        a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
        """;

    private static readonly string StyleHash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)));

    private static readonly string Policy = $"default-src 'none'; style-src 'sha256-{StyleHash}'; img-src data:; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    /// <summary>
    /// Whether a person will see the response. Recent browsers say that they navigate (Fetch Metadata, section 2.2).
    /// All browsers name HTML and XHTML when they navigate. Some programs name HTML, too, but not XHTML, or they prefer
    /// JSON. No browser adds a key or a token to a navigation.
    /// </summary>
    public static bool IsWanted(HttpRequest request)
    {
        var headers = request.Headers;
        if (headers.Accept.Count == 0) return false;
        if (headers.Authorization.Count > 0 || headers.ContainsKey("X-Api-Key")) return false;
        var mode = headers["Sec-Fetch-Mode"];
        if (mode is not ([] or ["navigate"])) return false;
        var accept = request.GetTypedHeaders().Accept;
        return (mode.Count > 0 || WeightOfRange(accept, Xhtml) > 0) && WeightOfRange(accept, Html) is { } html and > 0
            && html > Weight(accept, "application/json") && html > Weight(accept, "application/problem+json");
    }

    // The most specific media range that includes a type decides (RFC 9110, section 12.5.1).
    private static double Weight(IList<MediaTypeHeaderValue> accept, string type) =>
        WeightOfRange(accept, type) ?? WeightOfRange(accept, "application/*") ?? WeightOfRange(accept, "*/*") ?? 0;

    private static double? WeightOfRange(IList<MediaTypeHeaderValue> accept, string range) =>
        accept.Where(item => item.MediaType.Equals(range, StringComparison.OrdinalIgnoreCase))
            .Max(item => (double?)(item.Quality ?? 1));

    /// <summary>Writes the page of a problem. The caller has set the status and the other headers.</summary>
    /// <param name="next">What the person can do next; null: nothing beyond the advice of the problem's type.</param>
    /// <param name="traceId">The trace id, by which operators find the request; null if there is none.</param>
    public static async Task WriteAsync(HttpContext http, Problem problem, PageLink? next, string? traceId)
    {
        var response = http.Response;
        response.ContentType = $"{Html}; charset=utf-8";
        response.Headers.ContentSecurityPolicy = Policy;
        if (HttpMethods.IsHead(http.Request.Method)) return;
        // Links are relative, so that they work behind a proxy that removes a prefix.
        var root = string.Concat(Enumerable.Repeat("../", Math.Max(0, http.Request.Path.Value!.Count('/') - 1)));
        var step = next is null ? ""
            : $"""<p><a href="{Encode($"./{root}{next.Path}")}">{Encode(next.Text)}</a></p>""";
        var trace = traceId is null ? "" : $", trace {traceId}";
        var page = Page(Encode(problem.Type.Title), Encode(problem.Detail), Encode(problem.Type.Advice), step,
            $"{problem.Type.Slug}, {problem.Status}{trace}");
        await response.WriteAsync(page, http.RequestAborted);
    }

    private static string Encode(string text) => HtmlEncoder.Default.Encode(text);

    private static string Page(string title, string detail, string advice, string step, string code) => $"""
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>{title} · Gateway</title>
          <link rel="icon" href="data:,">
          <style>{Style}</style>
        </head>
        <body>
          <main>
            <h1>{title}</h1>
            <p>{detail}</p>
            <p>{advice}</p>
            {step}
            <p>{code}</p>
          </main>
        </body>
        </html>

        """;
}

/// <summary>What a person can do next.</summary>
/// <param name="Text">The words of the link.</param>
/// <param name="Path">The address, relative to the gateway's root, such as <c>bff/login</c>.</param>
internal sealed record PageLink(string Text, string Path);
