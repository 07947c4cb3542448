using System.Security.Cryptography;
using System.Text;
using Gateway.Caching;
using Gateway.Callers;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Problems;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Options;

namespace Gateway.Viewer;

/// <summary>
/// Serves the pages that show a job to people, at <c>/view</c>. The pages hold no data: their scripts read jobs from
/// the gateway with the reader's key or session.
/// </summary>
internal static class ViewerPages
{
    private const string Files = "Gateway.Viewer.Page";

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapViewer(this WebApplication app)
    {
        var page = new Page();
        // A request for the path base itself has an empty path.
        app.MapMethods("/", Methods, (HttpContext http) =>
            Results.Redirect(http.Request.Path == "/" ? "view" : $"{http.Request.PathBase}/view"))
            .ExcludeFromDescription();
        app.MapMethods("/view", Methods, page.Show).ExcludeFromDescription();
        app.MapMethods("/view/workflows/{workflow_id}/jobs/{job_id}", Methods,
            async (HttpContext http, string workflow_id, string job_id) =>
            {
                if (JobAddress.TryCreate(workflow_id, job_id, out _)) return page.Show(http);
                var wrong = JobAddress.IsIdentifier(workflow_id) ? "job id" : "workflow id";
                await new Problem(JobProblems.InvalidIdentifier, $"Check the {wrong}. {JobAddress.Form}")
                {
                    Next = new PageLink("Enter the ids of a job", "view"),
                }.WriteAsync(http);
                return Results.Empty;
            }).ExcludeFromDescription();
        MapReader(app);
        UsePages(app);
    }

    /// <summary>
    /// Maps the address that tells the page whether its reader has a session, and what status words mean.
    /// </summary>
    private static void MapReader(WebApplication app)
    {
        var callers = app.Services.GetRequiredService<Identification>();
        var jobs = app.Services.GetRequiredService<IOptionsMonitor<JobsOptions>>();
        var sessions = app.Services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>()
            .CurrentValue.Oidc.IsConfigured;
        app.MapGet("/view/reader", async (HttpContext http) =>
        {
            http.Response.Headers.CacheControl = "no-store";
            var (session, words) = (await callers.HasSessionAsync(http), jobs.CurrentValue);
            return Results.Json(
                new { sessions, session, finished = words.FinishedWords, failed = words.FailedWords });
        }).ExcludeFromDescription();
    }

    /// <summary>Serves scripts, styles and the icon. The first request builds the pipeline.</summary>
    private static void UsePages(WebApplication app) => app.Use(next =>
    {
        var pages = new Lazy<RequestDelegate>(() => Pipeline(((IApplicationBuilder)app).New(), next));
        return http => http.Request.Path.StartsWithSegments("/view") ? pages.Value(http) : next(http);
    });

    private static RequestDelegate Pipeline(IApplicationBuilder pages, RequestDelegate next)
    {
        pages.UseStaticFiles(new StaticFileOptions
        {
            RequestPath = "/view",
            FileProvider = new EmbeddedFileProvider(typeof(ViewerPages).Assembly, Files),
            OnPrepareResponse = file => Prepare(file.Context.Response),
        });
        pages.Run(next);
        return pages.Build();
    }

    private static void Prepare(HttpResponse response)
    {
        SecurityHeaders.AllowOwnWithoutMarkup(response.Headers);
        response.Headers.CacheControl = "no-cache";
    }

    /// <summary>The one page. Its links are relative, so that it works behind a proxy that removes a prefix.</summary>
    private sealed class Page
    {
        private readonly string _text, _hash;

        public Page()
        {
            using var resource = typeof(ViewerPages).Assembly.GetManifestResourceStream("Gateway.Viewer.index.html")!;
            using var reader = new StreamReader(resource);
            _text = reader.ReadToEnd();
            _hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_text)).AsSpan(0, 8));
        }

        public IResult Show(HttpContext http)
        {
            Prepare(http.Response);
            // From /view, files are below view/. From a page below /view/, each further segment is one level up.
            var levels = http.Request.Path.Value!.Count('/') - 2;
            var etag = $"\"{_hash}-{levels}\"";
            http.Response.Headers.ETag = etag;
            if (IfNoneMatch.Matches(http.Request.Headers.IfNoneMatch, etag))
            {
                return Results.StatusCode(StatusCodes.Status304NotModified);
            }
            var folder = levels < 0 ? "view/" : levels == 0 ? "./" : string.Concat(Enumerable.Repeat("../", levels));
            return Results.Text(
                _text.Replace("{folder}", folder, StringComparison.Ordinal), "text/html", Encoding.UTF8);
        }
    }
}
