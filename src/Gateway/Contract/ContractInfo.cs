using Gateway.Edge;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>Adds the gateway's address, the license, the contact and the tags to the document.</summary>
internal sealed class ContractInfo(
    IOptionsMonitor<ContractOptions> contract, IOptionsMonitor<PathBaseOptions> pathBases) : IDocumentFilter
{
    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        var (options, pathBase) = (contract.CurrentValue, pathBases.CurrentValue.Path);
        swaggerDoc.Servers = [new OpenApiServer { Url = options.ServerUrl.Length > 0
            ? options.ServerUrl : pathBase.Length > 0 ? pathBase : "/", Description = "This gateway." }];
        swaggerDoc.Info.License =
            new OpenApiLicense { Name = "MIT", Url = new Uri("https://opensource.org/license/mit") };
        swaggerDoc.Info.Contact = new OpenApiContact
        {
            Name = options.ContactName,
            Url = options.ContactUrl.Length > 0
            ? new Uri(options.ContactUrl) : null
        };
        swaggerDoc.Tags =
            new HashSet<OpenApiTag> { new() { Name = ContractDocument.JobsTag,
            Description = "The state of processing jobs." } };
    }
}
