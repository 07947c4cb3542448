using System.Text.Encodings.Web;
using Gateway.Edge;
using Gateway.Problems;

namespace Gateway.Viewer;

/// <summary>
/// Answers a person's error under <c>/view</c> with a small page, if the browser accepts pages. Other clients get the
/// problem.
/// </summary>
internal static class ErrorPage
{
    private const string Html = "text/html";

    /// <summary>Writes the page, or the problem for a client that does not ask for pages.</summary>
    public static async Task WriteAsync(HttpContext http, Problem problem)
    {
        if (IsAccepted(http.Request)) await WriteAsync(http, problem.Status, problem.Type.Title, problem.Detail);
        else await problem.WriteAsync(http);
    }

    /// <summary>
    /// Writes the page for an unknown path and for a wrong method, which routing answers with a status alone.
    /// </summary>
    public static async Task WriteForStatusAsync(HttpContext http)
    {
        var response = http.Response;
        if (response.HasStarted || response.ContentType is not null || !IsAccepted(http.Request)) return;
        switch (response.StatusCode)
        {
            case StatusCodes.Status404NotFound:
                await WriteAsync(http, response.StatusCode, "There is no such page",
                    "The gateway has no page at this address.");
                break;
            case StatusCodes.Status405MethodNotAllowed:
                await WriteAsync(http, response.StatusCode, "Method not allowed",
                    $"This page only allows {response.Headers.Allow}.");
                break;
        }
    }

    // A browser names HTML when it navigates. A program that accepts anything gets the problem.
    private static bool IsAccepted(HttpRequest request) =>
        request.GetTypedHeaders().Accept.Any(type =>
            type.MediaType.Equals(Html, StringComparison.OrdinalIgnoreCase) && type.Quality is null or > 0);

    private static async Task WriteAsync(HttpContext http, int status, string title, string text)
    {
        var response = http.Response;
        SecurityHeaders.AllowOwnWithoutMarkup(response.Headers);
        response.StatusCode = status;
        response.ContentType = $"{Html}; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = "Accept";
        if (HttpMethods.IsHead(http.Request.Method)) return;
        // The links are relative, so that they work behind a proxy that removes a prefix.
        var root = string.Concat(Enumerable.Repeat("../", http.Request.Path.Value!.Count('/') - 1));
        await response.WriteAsync(Page(root, HtmlEncoder.Default.Encode(title), HtmlEncoder.Default.Encode(text)),
            http.RequestAborted);
    }

    private static string Page(string root, string title, string text) => $"""
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <meta name="color-scheme" content="light dark">
          <title>{title} · Gateway</title>
          <link rel="icon" type="image/svg+xml" href="{root}view/icon.svg">
          <link rel="stylesheet" href="{root}view/view.css">
        </head>
        <body>
          <header class="top">
            <a class="brand" href="{root}view"><img src="{root}view/icon.svg" alt="" width="24" height="24"> Gateway</a>
          </header>
          <main>
            <section class="card notice">
              <h1>{title}</h1>
              <p>{text}</p>
              <p>Check the address, or <a href="{root}view">enter the ids of a job</a>.</p>
            </section>
          </main>
        </body>
        </html>

        """;
}
