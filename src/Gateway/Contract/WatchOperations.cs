using System.Text.Json.Nodes;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Watching;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>Describes the event streams and the request for several jobs.</summary>
internal sealed class WatchOperations(ProblemCatalog problems) : IOperationFilter
{
    private const string OneJob = "getJobEvents", ManyJobs = "getEvents", Batch = "getJobs";

    private static readonly string[] StreamHeaders = ["Cache-Control", "Vary", "RateLimit", "RateLimit-Policy"];

    private static readonly string[] BatchHeaders =
        ["ETag", "Cache-Control", "Vary", "RateLimit", "RateLimit-Policy", "Preference-Applied"];

    public static bool IsOne(string? operation) => operation is OneJob or ManyJobs or Batch;

    public static void DescribeStream(RouteHandlerBuilder operation, bool ofMany) => operation
        .WithName(ofMany ? ManyJobs : OneJob)
        .WithTags(ContractDocument.JobsTag)
        .WithSummary(ofMany ? "Watch up to 100 jobs" : "Watch a job")
        .WithDescription("""
            An event stream (HTML standard, section 9.2). The event `job` has the state now and each change of it as its
            data, and an id; `problem` says that the upstream or the permission fails, and `retryable` whether the
            stream goes on; `recovered` says that the upstream answers again; `end` follows the final state, and the
            stream closes. A client that connects again sends the last id as Last-Event-ID. After the end it gets 204.
            """)
        .Produces(StatusCodes.Status200OK, ofMany ? typeof(JobEventData) : typeof(Job), EventStreams.ContentType)
        .Produces(StatusCodes.Status204NoContent);

    public static void DescribeBatch(RouteHandlerBuilder operation) => operation
        .WithName(Batch)
        .WithTags(ContractDocument.JobsTag)
        .WithSummary("Get up to 100 jobs")
        .WithDescription("""
            The last known state of up to 100 jobs, each with its own status, entity tag and freshness. Each job takes
            one permit. The status is 429 if no job got one.
            """)
        .Produces<JobBatch>();

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        var id = operation.OperationId;
        if (!IsOne(id)) return;
        var parameters = operation.Parameters ??= [];
        if (id != OneJob)
        {
            parameters.Clear();
            parameters.Add(new OpenApiParameter
            {
                Name = "job",
                In = ParameterLocation.Query,
                Required = true,
                Description = "The jobs, each as workflow_id/job_id.",
                Style = ParameterStyle.Form,
                Explode = true,
                Example = new JsonArray($"{JobOperation.ExampleWorkflow}/{JobOperation.ExampleJob}"),
                Schema = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array,
                    MinItems = 1,
                    MaxItems = JobList.Most,
                    Items = new OpenApiSchema
                    {
                        Type = JsonSchemaType.String,
                        Pattern = "^[A-Za-z0-9._~-]{1,128}/[A-Za-z0-9._~-]{1,128}$",
                        MaxLength = 2 * JobAddress.MaxLength + 1,
                    },
                },
            });
        }
        parameters.Add(new OpenApiParameter
        {
            Name = "view",
            In = ParameterLocation.Query,
            Description = "`summary`: summaries instead of whole jobs.",
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            Example = "summary",
        });
        AddHeader("Prefer", "`return=minimal` (RFC 7240): summaries instead of whole jobs.", "return=minimal");
        if (id == Batch) AddHeader("If-None-Match", "ETags that the client has (RFC 9110).", JobOperation.ExampleETag);
        else
        {
            AddHeader("Last-Event-ID", "The id of the last event that the client has.",
                JobOperation.ExampleETag.Trim('"'));
        }

        var responses = operation.Responses ??= [];
        if (responses.TryGetValue("200", out var found) && found is OpenApiResponse ok)
        {
            ok.Description = id == Batch ? "The jobs." : "The stream. The schema is that of the data of `job` events.";
            ok.Headers = ContractResponses.Headers(id == Batch ? BatchHeaders : StreamHeaders);
            if (id != Batch) DescribeData(ok, id == ManyJobs, context);
        }
        if (id == Batch)
        {
            responses["304"] = new OpenApiResponse
            {
                Description = "The jobs are as the client has them.",
                Headers = ContractResponses.Headers(BatchHeaders),
            };
        }
        else if (responses.TryGetValue("204", out var over) && over is OpenApiResponse end)
        {
            end.Description = "The client has the final state.";
            end.Headers = ContractResponses.Headers(StreamHeaders);
        }
        ContractResponses.AddProblems(responses, context.SchemaGenerator, context.SchemaRepository,
            problems.Of(ProblemScope.Jobs | ProblemScope.Watching), withCache: false);

        void AddHeader(string name, string description, string? example) => parameters.Add(new OpenApiParameter
        {
            Name = name,
            In = ParameterLocation.Header,
            Description = description,
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            Example = example,
        });
    }

    private static void DescribeData(OpenApiResponse response, bool ofMany, OperationFilterContext context)
    {
        if (ofMany) return;
        foreach (var content in response.Content?.Values.OfType<OpenApiMediaType>() ?? [])
        {
            content.Schema = JobOrSummary.Of(context.SchemaGenerator, context.SchemaRepository);
        }
    }
}
