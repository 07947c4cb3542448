using System.Globalization;
using Gateway.Problems;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>Describes the headers and the problems that the answers of all operations have in common.</summary>
internal static class ContractResponses
{
    private static readonly Dictionary<string, string> Descriptions = new()
    {
        ["ETag"] = "Strong validator of these very bytes, one for each content coding (RFC 9110).",
        ["Cache-Status"] = "How the gateway came by the answer (RFC 9211).",
        ["Cache-Control"] = "A finished job may be reused for minutes; any other answer must be revalidated each time.",
        ["Vary"] = "The request headers that the answer depends on.",
        ["Age"] = "Seconds since the upstream said it; from cache, and with every 304.",
        ["RateLimit"] = "Requests left, and seconds until there are more.",
        ["RateLimit-Policy"] = "The team's quota: requests and window in seconds.",
        ["Retry-After"] = "Seconds to wait from now; of a running job, advice on when it is worth asking again.",
        ["Preference-Applied"] = "The wait that the gateway has honoured (RFC 7240).",
        ["Content-Range"] = "The size of the resource, such as `bytes */1000` (RFC 9110).",
        ["WWW-Authenticate"] = "What credential is wanted (RFC 6750).",
    };

    public static Dictionary<string, IOpenApiHeader> Headers(IEnumerable<string> names) =>
        names.ToDictionary(name => name, IOpenApiHeader (name) =>
        new OpenApiHeader
        {
            Description = Descriptions[name],
            Schema = name switch
            {
                "Age" or "Retry-After" => new OpenApiSchema
                {
                    Type = JsonSchemaType.Integer,
                    Format = "int32",
                    Minimum = "0",
                },
                _ => new OpenApiSchema { Type = JsonSchemaType.String },
            },
        });

    /// <summary>Adds one response for each status of the problems.</summary>
    /// <param name="withCache">Whether the operation is cached: its responses then have Cache-Status and Age.</param>
    public static void AddProblems(OpenApiResponses responses, ISchemaGenerator generator, SchemaRepository repository,
        IEnumerable<ProblemType> types, bool withCache)
    {
        var body = generator.GenerateSchema(typeof(ProblemBody), repository);
        foreach (var status in types.GroupBy(type => type.Status).OrderBy(group => group.Key))
        {
            responses[status.Key.ToString(CultureInfo.InvariantCulture)] = new OpenApiResponse
            {
                Description = string.Join("\n", status.Select(type => $"- `{type.Uri}`: {type.Title}. {type.Advice}")),
                Headers = Headers(
                    HeadersOf(status.Key).Where(name => withCache || name is not ("Cache-Status" or "Age"))),
                Content =
                    new Dictionary<string, IOpenApiMediaType>
                    {
                        [
                        "application/problem+json"] = new OpenApiMediaType
                        {
                            Schema = body,
                            Examples = ContractExamples.Of(status)
                        }
                    },
            };
        }
    }

    private static string[] HeadersOf(int status) => status switch
    {
        400 => ["Cache-Control", "Cache-Status", "Vary", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"],
        401 => ["Cache-Control", "WWW-Authenticate"],
        404 => ["Cache-Control", "Cache-Status", "Vary", "Age", "RateLimit", "RateLimit-Policy"],
        416 => ["Cache-Control", "Content-Range", "Vary", "RateLimit", "RateLimit-Policy"],
        429 => ["Cache-Control", "RateLimit", "RateLimit-Policy", "Retry-After"],
        500 => ["Cache-Control"],
        503 => ["Cache-Control", "Cache-Status", "Vary", "RateLimit", "RateLimit-Policy", "Retry-After"],
        _ => ["Cache-Control", "Cache-Status", "Vary", "RateLimit", "RateLimit-Policy"],
    };
}
