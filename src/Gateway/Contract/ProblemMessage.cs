using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>
/// Marks the property of a problem that says what happened, so that the exceptions of clients that Kiota generates have
/// it as their message.
/// </summary>
internal sealed class ProblemMessage : ISchemaFilter
{
    private const string Mark = "x-ms-primary-error-message";

    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (context.Type != typeof(ProblemBody) || schema.Properties is not { } properties) return;
        if (properties["detail"] is OpenApiSchema detail)
        {
            (detail.Extensions ??= new Dictionary<string, IOpenApiExtension>())[Mark] =
                new JsonNodeExtension(JsonValue.Create(true));
        }
    }
}
