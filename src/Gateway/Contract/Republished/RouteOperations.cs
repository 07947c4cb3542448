using Gateway.Problems;
using Gateway.Routes;
using Gateway.Upstream;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract.Republished;

/// <summary>Adds the routes to the published document, with the gateway's own headers and problems.</summary>
internal sealed class RouteOperations(IOptionsMonitor<UpstreamOptions> options, ForwardedRoutes routes,
    UpstreamContract upstream,
    ProblemCatalog problems) : IDocumentFilter
{
    private static readonly string[] OwnHeaders = ["Cache-Control", "Vary", "RateLimit", "RateLimit-Policy"];

    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        if (routes.All.Length == 0) return;
        var schemas =
            (swaggerDoc.Components ??= new OpenApiComponents()).Schemas ??= new Dictionary<string, IOpenApiSchema>();
        var made = RepublishedRoutes.Make(
            upstream.Document, routes.All, schemas.Keys, options.CurrentValue.BaseAddress);
        foreach (var (name, schema) in made.Components?.Schemas ?? new Dictionary<string, IOpenApiSchema>())
        {
            schemas.Add(name, schema);
        }
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

    private void Describe(OpenApiOperation operation, DocumentFilterContext context)
    {
        foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>()
            .Where(parameter => parameter.In == ParameterLocation.Path))
        {
            parameter.Description ??= Jobs.JobAddress.Form;
        }
        foreach (var response in operation.Responses!.Values.OfType<OpenApiResponse>())
        {
            response.Headers ??= new Dictionary<string, IOpenApiHeader>();
            foreach (var (name, header) in ContractResponses.Headers(OwnHeaders)) response.Headers[name] = header;
        }
        ContractResponses.AddProblems(operation.Responses, context.SchemaGenerator, context.SchemaRepository,
            problems.Of(ProblemScope.Routes), withCache: false);
    }
}

/// <summary>The upstream's document as it was at the start. A document with errors stops the start.</summary>
internal sealed class UpstreamContract
{
    private const long MuchMemory = 16 * 1024 * 1024;

    public UpstreamContract(IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<RoutesOptions> routes)
    {
        var before = GC.GetTotalAllocatedBytes();
        Document = RepublishedRoutes.Read(upstream.CurrentValue, routes.CurrentValue);
        if (GC.GetTotalAllocatedBytes() - before < MuchMemory) return;
        // Reading a large document takes many times its size, which an idle node would keep for hours.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    /// <summary>The part of the document that describes routes; null: none is configured.</summary>
    public UpstreamDocument? Document { get; }
}
