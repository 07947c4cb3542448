using Gateway.Configuration;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>What the document says of itself: where the gateway is, whom to ask, and what its tags mean.</summary>
internal sealed class ContractInfo(LiveConfiguration configuration) : IDocumentFilter
{
    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        var (options, pathBase) = (configuration.Current.Contract, configuration.Current.PathBase);
        swaggerDoc.Servers = [new OpenApiServer { Url = options.ServerUrl.Length > 0 ? options.ServerUrl : pathBase.Length > 0 ? pathBase : "/", Description = "This gateway." }];
        swaggerDoc.Info.License = new OpenApiLicense { Name = "MIT", Url = new Uri("https://opensource.org/license/mit") };
        swaggerDoc.Info.Contact = new OpenApiContact { Name = options.ContactName, Url = options.ContactUrl.Length > 0 ? new Uri(options.ContactUrl) : null };
        swaggerDoc.Tags = new HashSet<OpenApiTag> { new() { Name = ContractDocument.JobsTag, Description = "The state of processing jobs." } };
    }
}
