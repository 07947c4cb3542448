using Gateway.Configuration;
using Gateway.Operations;
using Gateway.Routes;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract.Republished;

/// <summary>Adds the routes to the published document, with what the gateway itself answers to each.</summary>
internal sealed class RouteOperations(LiveConfiguration configuration, ForwardedRoutes routes, UpstreamContract upstream) : IDocumentFilter
{
    private static readonly string[] OwnHeaders = ["Cache-Control", "Vary", "RateLimit", "RateLimit-Policy"];

    // Problems of jobs alone.
    private static readonly ProblemType[] Elsewhere = [ProblemType.WorkflowForbidden, ProblemType.JobNotFound];

    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        if (routes.All.Length == 0) return;
        var schemas = (swaggerDoc.Components ??= new OpenApiComponents()).Schemas ??= new Dictionary<string, IOpenApiSchema>();
        var made = RepublishedRoutes.Make(upstream.Document, routes.All, schemas.Keys, configuration.Current.Upstream.BaseAddress);
        foreach (var (name, schema) in made.Components?.Schemas ?? new Dictionary<string, IOpenApiSchema>()) schemas.Add(name, schema);
        foreach (var tag in made.Tags ?? new HashSet<OpenApiTag>())
        {
            if (swaggerDoc.Tags!.All(known => known.Name != tag.Name)) swaggerDoc.Tags!.Add(tag);
        }
        foreach (var (path, item) in made.Paths)
        {
            foreach (var operation in item.Operations!.Values) Describe(operation, context);
            swaggerDoc.Paths.Add(path, item);
        }
    }

    private static void Describe(OpenApiOperation operation, DocumentFilterContext context)
    {
        foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>().Where(parameter => parameter.In == ParameterLocation.Path))
        {
            parameter.Description ??= Jobs.JobAddress.Form;
        }
        foreach (var response in operation.Responses!.Values.OfType<OpenApiResponse>())
        {
            response.Headers ??= new Dictionary<string, IOpenApiHeader>();
            foreach (var (name, header) in ContractResponses.Headers(OwnHeaders)) response.Headers[name] = header;
        }
        ContractResponses.AddProblems(operation.Responses, context.SchemaGenerator, context.SchemaRepository,
            ProblemType.All.Except(ContractResponses.NeverOfCalls).Except(Elsewhere), withCache: false);
    }
}

/// <summary>The upstream's document as it was at the start, when the routes were; one that is wrong stops it.</summary>
internal sealed class UpstreamContract(LiveConfiguration configuration)
{
    /// <summary>Null: there is none.</summary>
    public UpstreamDocument? Document { get; } = RepublishedRoutes.Read(configuration.Current);
}
