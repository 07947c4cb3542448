using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>Objects may have more properties than those described: what the upstream sends is passed on as it is.</summary>
internal sealed class OpenSchema : ISchemaFilter
{
    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (schema is OpenApiSchema { Type: JsonSchemaType.Object } described) described.AdditionalPropertiesAllowed = true;
    }
}
