using Gateway.Callers.Sessions;
using Gateway.Contract.Republished;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>Configures the generator of the published document.</summary>
internal static class ContractDocument
{
    public const string Version = "v0", JobsTag = "Jobs";

    public static void AddContract(this IServiceCollection services)
    {
        services.AddEndpointsApiExplorer();
        services.AddSwaggerGen(Describe);
        services.AddSingleton<UpstreamContract>();
        services.AddSingleton<PublishedContract>();
    }

    /// <summary>Adds the name, the tag and the texts of the job operation.</summary>
    public static void DescribeJobOperation(this RouteHandlerBuilder operation) => operation
        .WithName("getJobById")
        .WithTags(JobsTag)
        .WithSummary("Get a job by workflow and job id")
        .WithDescription("""
            The last known state of one job, byte for byte as the upstream sent it. Finished jobs come from the cache;
            the state of a running job is at most seconds old. When you poll, send the last ETag as If-None-Match: the
            answer for an unchanged job is 304. HEAD answers the same without the body.
            """)
        .Produces<Job>();

    public static void DescribeStream(this RouteHandlerBuilder operation, bool ofMany) =>
        WatchOperations.DescribeStream(operation, ofMany);

    public static void DescribeBatch(this RouteHandlerBuilder operation) => WatchOperations.DescribeBatch(operation);

    private static void Describe(SwaggerGenOptions options)
    {
        options.SwaggerDoc(Version, new OpenApiInfo
        {
            Title = "Gateway",
            Version = Version,
            // The text describes 414 and 431, which have no body. As responses of an operation they would make
            // generated clients treat the body of every error as optional.
            Description = """
                Processing jobs, cached. Callers authenticate with a gateway key, a token or a session. They need no
                key of the upstream. The security schemes are alternatives: a request with more than one credential is
                refused, even if all are the same. `bearer` takes every gateway key and every token.

                Every error has a body of `application/problem+json`, except two that the server gives before it looks
                at a request: 414, if the request line is over 8 KiB, and 431, if the headers are over 32 KiB or more
                than 100.
                """,
        });
        options.SupportNonNullableReferenceTypes();
        options.IncludeXmlComments(typeof(ContractDocument).Assembly);
        options.OperationFilter<JobOperation>();
        options.OperationFilter<WatchOperations>();
        options.SchemaFilter<OpenSchema>();
        options.SchemaFilter<ProblemMessage>();
        options.SchemaFilter<JobOrSummary>();
        options.DocumentFilter<ContractInfo>();
        options.DocumentFilter<RouteOperations>();

        Scheme(options, "apiKey", "A gateway key.", SecuritySchemeType.ApiKey, "X-Api-Key");
        Scheme(options, "authorization", "A gateway key as the whole value, as clients of the upstream send theirs.",
            SecuritySchemeType.ApiKey, "Authorization");
        options.AddSecurityDefinition("bearer", new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = "A gateway key, or a JWT of the gateway's identity provider, as a bearer token.",
        });
        Scheme(options, "session",
            $"A browser's session, after a login at /bff/login; each request also carries '{CookieRule.Header}: "
            + $"{CookieRule.Value}'.",
            SecuritySchemeType.ApiKey, SessionCookie.Name, ParameterLocation.Cookie);
        foreach (var name in (string[])["apiKey", "authorization", "bearer", "session"])
        {
            options.AddSecurityRequirement(document =>
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(name, document)] = [] });
        }
    }

    private static void Scheme(SwaggerGenOptions options, string name, string description,
        SecuritySchemeType type, string field,
        ParameterLocation place = ParameterLocation.Header) =>
        options.AddSecurityDefinition(name, new OpenApiSecurityScheme
        {
            Type = type,
            In = place,
            Name = field,
            Description = description,
        });
}
