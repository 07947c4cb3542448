using Gateway.Caching;
using Gateway.Callers;
using Gateway.Callers.Sessions;
using Gateway.Contract.Republished;
using Gateway.Edge;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Options;

namespace Gateway.Contract;

/// <summary>The contract for tools, at <c>/openapi</c>, and its page for people, at <c>/docs</c>.</summary>
internal static class ContractEndpoints
{
    public static void MapContract(this WebApplication app)
    {
        var (contract, callers) = (
            app.Services.GetRequiredService<PublishedContract>(), app.Services.GetRequiredService<Identification>());
        var options = app.Services.GetRequiredService<IOptionsMonitor<ContractOptions>>();
        // Read now, and not at somebody's first request.
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
                http.Response.Headers.ETag = rendering.ETag;
                // The framework would compare, but knows no suffix of a proxy's.
                return IfNoneMatch.Matches(http.Request.Headers.IfNoneMatch, rendering.ETag)
                    ? Results.StatusCode(StatusCodes.Status304NotModified)
                    : Results.Bytes(rendering.Bytes, rendering.ContentType);
            }).ExcludeFromDescription();
        }
        MapReader(app, callers, options);
        UsePage(app);
    }

    /// <summary>
    /// What the page is to know before it asks for anything, for each answer of 400 and above is an error in the
    /// browser's console.
    /// </summary>
    private static void MapReader(WebApplication app, Identification callers, IOptionsMonitor<ContractOptions> options)
    {
        var authentication = app.Services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>().CurrentValue;
        var (sessions, tokens) = (authentication.Oidc.IsConfigured, authentication.Jwt.Authority.Length > 0);
        app.MapGet("/docs/reader", async (HttpContext http) =>
        {
            var mayHaveSession = sessions && Cookies.Find(http.Request.Headers.Cookie, SessionCookie.Name, out _) > 0;
            var session = mayHaveSession && (await callers.IdentifyAsync(http)).Session.Session is not null;
            http.Response.Headers.CacheControl = "no-store";
            return Results.Json(new { options.CurrentValue.Public, sessions, tokens, session });
        }).ExcludeFromDescription();
    }

    /// <summary>
    /// Swagger UI's scripts and styles, and a page of our own around them; made when somebody first looks.
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
