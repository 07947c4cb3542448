using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>
/// Describes a job that is a summary if the caller asked for summaries. Their progress is a number.
/// </summary>
internal sealed class JobOrSummary : ISchemaFilter
{
    public static OpenApiSchema Of(ISchemaGenerator generator, SchemaRepository repository) => new()
    {
        AnyOf = [generator.GenerateSchema(typeof(Job), repository),
            generator.GenerateSchema(typeof(JobSummary), repository)],
    };

    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (context.Type != typeof(JobEventData) && context.Type != typeof(JobBatchItem)) return;
        if (schema.Properties is not { } properties) return;
        var either = Of(context.SchemaGenerator, context.SchemaRepository);
        either.Description = properties["job"].Description;
        properties["job"] = either;
    }
}
