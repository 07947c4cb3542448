using Gateway.Callers;
using Gateway.Configuration;
using Gateway.Contract.Republished;
using Gateway.Edge;
using Microsoft.Net.Http.Headers;

namespace Gateway.Contract;

/// <summary>The contract for tools, at <c>/openapi</c>, and its page for people, at <c>/docs</c>.</summary>
internal static class ContractEndpoints
{
    public static void MapContract(this WebApplication app)
    {
        var (contract, callers) = (app.Services.GetRequiredService<PublishedContract>(), app.Services.GetRequiredService<Identification>());
        var configuration = app.Services.GetRequiredService<LiveConfiguration>();
        // Read now, and not at somebody's first request.
        _ = app.Services.GetRequiredService<UpstreamContract>();
        foreach (var path in PublishedContract.Paths)
        {
            app.MapMethods(path, [HttpMethods.Get, HttpMethods.Head], async (HttpContext http) =>
            {
                var isPublic = configuration.Current.Contract.Public;
                if (!isPublic && await callers.IdentifyAsync(http) is { Caller: null } unknown)
                {
                    await unknown.Problem.WriteAsync(http);
                    return Results.Empty;
                }
                var rendering = await contract.GetAsync(path);
                http.Response.Headers.CacheControl = isPublic ? "public, max-age=300" : "private, max-age=300";
                return Results.Bytes(rendering.Bytes, rendering.ContentType, entityTag: new EntityTagHeaderValue(rendering.ETag));
            }).ExcludeFromDescription();
        }
        app.UseWhen(http => http.Request.Path.StartsWithSegments("/docs"), docs =>
        {
            docs.Use((http, next) =>
            {
                SecurityHeaders.AllowOwn(http.Response.Headers);
                return next(http);
            });
            docs.UseSwaggerUI(page =>
            {
                page.RoutePrefix = "docs";
                page.DocumentTitle = "Gateway";
                page.SwaggerEndpoint("../openapi/v0.json", "Gateway v0");
            });
        });
    }
}
