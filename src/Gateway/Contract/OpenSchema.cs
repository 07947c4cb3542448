using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>
/// Objects may have more properties than those described, and a property may be null: what the upstream sends is passed
/// on as it is.
/// </summary>
internal sealed class OpenSchema : ISchemaFilter
{
    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (schema is not OpenApiSchema { Type: JsonSchemaType.Object } described) return;
        described.AdditionalPropertiesAllowed = true;
        // A reference cannot say so of the property, not in 3.0.
        if (context.Type == typeof(BlockInfo)) described.Type |= JsonSchemaType.Null;
    }
}
