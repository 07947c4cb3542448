using Gateway.Callers.Sessions;
using Gateway.Edge;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>The OpenAPI 3.1 document that consumers build against, at <c>/openapi/v0.json</c>, and its page at <c>/docs</c>.</summary>
internal static class ContractDocument
{
    private const string DocumentRoute = "/openapi/{documentName}.json";
    private const string Version = "v0";

    public static void AddContract(this IServiceCollection services)
    {
        services.AddEndpointsApiExplorer();
        services.AddSwaggerGen(Describe);
    }

    public static void MapContract(this WebApplication app)
    {
        app.MapSwagger(DocumentRoute, options => options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1);
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

    /// <summary>Says of the job operation what its handler does not.</summary>
    public static void DescribeJobOperation(this RouteHandlerBuilder operation) => operation
        .WithName("getJobById")
        .WithTags("Jobs")
        .WithSummary("Get a job by workflow and job id")
        .WithDescription("""
            The last known state of one job, byte for byte as the upstream sent it. Finished jobs come from cache; a running
            one is at most seconds old. Send If-None-Match with the last ETag when polling: an unchanged job is a 304.
            """)
        .Produces<Job>();

    private static void Describe(SwaggerGenOptions options)
    {
        options.SwaggerDoc(Version, new OpenApiInfo
        {
            Title = "Gateway",
            Version = Version,
            Description = "Processing jobs, cached. Callers authenticate with a gateway key, a token or a session, and need no other.",
        });
        options.SupportNonNullableReferenceTypes();
        options.IncludeXmlComments(typeof(ContractDocument).Assembly);
        options.OperationFilter<JobOperation>();
        options.SchemaFilter<OpenSchema>();

        Scheme(options, "apiKey", "A gateway key.", SecuritySchemeType.ApiKey, "X-Api-Key");
        Scheme(options, "authorization", "A gateway key as the whole value, as clients of the upstream send theirs.",
            SecuritySchemeType.ApiKey, "Authorization");
        options.AddSecurityDefinition("bearer", new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = "A gateway key, or a JWT of the gateway's identity provider, as a bearer token.",
        });
        Scheme(options, "session", $"A browser's session, after a login at /bff/login; each request also carries '{CookieRule.Header}: {CookieRule.Value}'.",
            SecuritySchemeType.ApiKey, SessionCookie.Name, ParameterLocation.Cookie);
        foreach (var name in (string[])["apiKey", "authorization", "bearer", "session"])
        {
            options.AddSecurityRequirement(document =>
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(name, document)] = [] });
        }
    }

    private static void Scheme(SwaggerGenOptions options, string name, string description, SecuritySchemeType type, string field,
        ParameterLocation place = ParameterLocation.Header) =>
        options.AddSecurityDefinition(name, new OpenApiSecurityScheme
        {
            Type = type,
            In = place,
            Name = field,
            Description = description,
        });
}
