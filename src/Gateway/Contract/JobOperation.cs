using System.Globalization;
using Gateway.Jobs;
using Gateway.Operations;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>Adds to the job operation what every answer of it carries: headers, 304, and each problem of the one table.</summary>
internal sealed class JobOperation : IOperationFilter
{
    private static readonly string[] JobHeaders = ["ETag", "Cache-Status", "Cache-Control", "Vary", "Age", "Retry-After", "RateLimit", "RateLimit-Policy"];

    // Problems that a request with this path cannot meet.
    private static readonly ProblemType[] Elsewhere =
    [
        ProblemType.NotFound, ProblemType.RouteForbidden, ProblemType.UpstreamNotFound, ProblemType.MethodNotAllowed, ProblemType.BadRequest, ProblemType.OperatorRequired,
        ProblemType.PurgeIncomplete, ProblemType.InvalidReturnUrl, ProblemType.LoginFailed, ProblemType.InvalidLogoutToken,
    ];

    private static readonly Dictionary<string, string> Descriptions = new()
    {
        ["ETag"] = "Strong validator of these very bytes, one for each content coding (RFC 9110).",
        ["Cache-Status"] = "How the gateway came by the answer (RFC 9211).",
        ["Cache-Control"] = "Finished jobs may be reused for minutes, running ones until Retry-After is over; anything else is to be asked for again.",
        ["Vary"] = "The request headers that the answer depends on.",
        ["Age"] = "Seconds since the upstream said it; only from cache.",
        ["RateLimit"] = "Requests left, and seconds until there are more.",
        ["RateLimit-Policy"] = "The team's quota: requests and window in seconds.",
        ["Retry-After"] = "Seconds to wait; of a running job, until it is worth asking again.",
        ["WWW-Authenticate"] = "What credential is wanted (RFC 6750).",
    };

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
        {
            parameter.Description = JobAddress.Form;
            if (parameter.Schema is OpenApiSchema schema) (schema.MinLength, schema.MaxLength, schema.Pattern) = (1, JobAddress.MaxLength, "^[A-Za-z0-9._~-]+$");
        }
        (operation.Parameters ??= []).Add(new OpenApiParameter
        {
            Name = "If-None-Match",
            In = ParameterLocation.Header,
            Description = "ETags that the client has (RFC 9110).",
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
        });

        var responses = operation.Responses ??= [];
        if (responses.TryGetValue("200", out var found) && found is OpenApiResponse ok)
        {
            ok.Description = "The job.";
            ok.Headers = Headers(JobHeaders);
            foreach (var content in ok.Content?.Values.OfType<OpenApiMediaType>() ?? []) content.Examples = ContractExamples.Jobs;
        }
        responses["304"] = new OpenApiResponse { Description = "The job is as the client has it.", Headers = Headers(JobHeaders) };

        var body = context.SchemaGenerator.GenerateSchema(typeof(ProblemBody), context.SchemaRepository);
        foreach (var status in ProblemType.All.Except(Elsewhere).GroupBy(type => type.Status).OrderBy(group => group.Key))
        {
            responses[status.Key.ToString(CultureInfo.InvariantCulture)] = new OpenApiResponse
            {
                Description = string.Join("\n", status.Select(type => $"- `{type.Uri}`: {type.Title}. {type.Advice}")),
                Headers = Headers(HeadersOf(status.Key)),
                Content = new Dictionary<string, IOpenApiMediaType> { ["application/problem+json"] = new OpenApiMediaType { Schema = body, Examples = ContractExamples.Of(status) } },
            };
        }
    }

    private static string[] HeadersOf(int status) => status switch
    {
        400 => ["Cache-Control", "Cache-Status", "Vary", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"],
        401 => ["Cache-Control", "WWW-Authenticate"],
        404 => ["Cache-Control", "Cache-Status", "Vary", "Age", "RateLimit", "RateLimit-Policy"],
        429 => ["Cache-Control", "RateLimit", "RateLimit-Policy", "Retry-After"],
        500 => ["Cache-Control"],
        503 => ["Cache-Control", "Cache-Status", "Vary", "RateLimit", "RateLimit-Policy", "Retry-After"],
        _ => ["Cache-Control", "Cache-Status", "Vary", "RateLimit", "RateLimit-Policy"],
    };

    private static Dictionary<string, IOpenApiHeader> Headers(string[] names) => names.ToDictionary(name => name, IOpenApiHeader (name) =>
        new OpenApiHeader
        {
            Description = Descriptions[name],
            Schema = new OpenApiSchema { Type = name is "Age" or "Retry-After" ? JsonSchemaType.Integer : JsonSchemaType.String },
        });
}
