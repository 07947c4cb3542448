using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>
/// Allows objects to have properties that the document does not describe, because the gateway passes on the upstream's
/// jobs unchanged.
/// </summary>
internal sealed class OpenSchema : ISchemaFilter
{
    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (schema is not OpenApiSchema { Type: JsonSchemaType.Object } described) return;
        described.AdditionalPropertiesAllowed = true;
        // OpenAPI 3.0 cannot mark a property that is a reference as nullable, so that the schema itself allows null.
        if (context.Type == typeof(BlockInfo)) described.Type |= JsonSchemaType.Null;
    }
}
