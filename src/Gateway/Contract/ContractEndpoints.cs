using Gateway.Caching;
using Gateway.Callers;
using Gateway.Contract.Republished;
using Gateway.Edge;
using Gateway.Problems;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Gateway.Contract;

/// <summary>Serves the contract at <c>/openapi</c> and its page at <c>/docs</c>.</summary>
internal static class ContractEndpoints
{
    public static void MapContract(this WebApplication app)
    {
        var (contract, callers) = (
            app.Services.GetRequiredService<PublishedContract>(), app.Services.GetRequiredService<Identification>());
        var options = app.Services.GetRequiredService<IOptionsMonitor<ContractOptions>>();
        // Read the upstream's document now, so that a broken one stops the start.
        _ = app.Services.GetRequiredService<UpstreamContract>();
        foreach (var path in PublishedContract.Paths)
        {
            app.MapMethods(path, [HttpMethods.Get, HttpMethods.Head], async (HttpContext http) =>
            {
                var isPublic = options.CurrentValue.Public;
                if (!isPublic && await callers.IdentifyAsync(http) is { Caller: null } unknown)
                {
                    await unknown.Problem.WriteAsync(http);
                    return Results.Empty;
                }
                var rendering = await contract.GetAsync(path);
                http.Response.Headers.CacheControl = isPublic ? "public, max-age=300" : "private, max-age=300";
                // A cache must not give a page of another origin the answer to a request without an origin.
                http.Response.Headers.Vary = isPublic ? HeaderNames.Origin : Answers.Vary;
                http.Response.Headers.ETag = rendering.ETag;
                // The framework's own comparison does not match ETags to which a proxy added a suffix.
                return IfNoneMatch.Matches(http.Request.Headers.IfNoneMatch, rendering.ETag)
                    ? Results.StatusCode(StatusCodes.Status304NotModified)
                    : Results.Bytes(rendering.Bytes, rendering.ContentType);
            }).ExcludeFromDescription();
        }
        MapReader(app, callers, options);
        UsePage(app);
    }

    /// <summary>
    /// Maps the address that tells the page how its reader can authenticate. The page asks it first, because a browser
    /// logs an error in its console for each answer of 400 and above.
    /// </summary>
    private static void MapReader(WebApplication app, Identification callers, IOptionsMonitor<ContractOptions> options)
    {
        var authentication = app.Services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>().CurrentValue;
        var (sessions, tokens) = (authentication.Oidc.IsConfigured, authentication.Jwt.IsConfigured);
        app.MapGet("/docs/reader", async (HttpContext http) =>
        {
            var session = await callers.HasSessionAsync(http);
            http.Response.Headers.CacheControl = "no-store";
            return Results.Json(new { options.CurrentValue.Public, sessions, tokens, session });
        }).ExcludeFromDescription();
    }

    /// <summary>
    /// Serves the gateway's own page with the scripts and styles of Swagger UI. The first request builds the pipeline.
    /// </summary>
    private static void UsePage(WebApplication app) => app.Use(next =>
    {
        var page = new Lazy<RequestDelegate>(() => Page(((IApplicationBuilder)app).New(), next));
        return http => http.Request.Path.StartsWithSegments("/docs") ? page.Value(http) : next(http);
    });

    private static RequestDelegate Page(IApplicationBuilder docs, RequestDelegate next)
    {
        docs.Use((http, next) =>
        {
            SecurityHeaders.AllowOwn(http.Response.Headers);
            return next(http);
        });
        docs.UseStaticFiles(new StaticFileOptions
        {
            RequestPath = "/docs",
            FileProvider = new EmbeddedFileProvider(typeof(ContractEndpoints).Assembly, "Gateway.Contract.Page"),
            OnPrepareResponse = file => file.Context.Response.Headers.CacheControl = "no-cache",
        });
        docs.UseSwaggerUI(page => page.RoutePrefix = "docs");
        docs.Run(next);
        return docs.Build();
    }
}
