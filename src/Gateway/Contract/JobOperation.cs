using Gateway.Jobs;
using Gateway.Problems;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Gateway.Contract;

/// <summary>
/// Adds the headers, the response 304 and the problems to the job operation, and says when a job is final.
/// </summary>
internal sealed class JobOperation(ProblemCatalog problems, IOptionsMonitor<JobsOptions> jobs) : IOperationFilter
{
    /// <summary>Identifiers and a validator, as in the example bodies.</summary>
    public const string ExampleWorkflow = "survey-1", ExampleJob = "job-7",
        ExampleETag = "\"9f86d081884c7d659a2feaa0c55ad015\"";

    private static readonly string[] JobHeaders = [
        "ETag", "Cache-Status", "Cache-Control", "Vary", "Age", "Retry-After", "RateLimit", "RateLimit-Policy",
        "Preference-Applied"];

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
        {
            parameter.Description = JobAddress.Form;
            parameter.Example = parameter.Name == "job_id" ? ExampleJob : ExampleWorkflow;
            if (parameter.Schema is OpenApiSchema schema)
            {
                (schema.MinLength, schema.MaxLength, schema.Pattern) = (1, JobAddress.MaxLength, "^[A-Za-z0-9._~-]+$");
            }
        }
        if (WatchOperations.IsOne(operation.OperationId)) return;
        operation.Description += $"\n\n{WhenFinal(jobs.CurrentValue)}";
        (operation.Parameters ??= []).Add(new OpenApiParameter
        {
            Name = "If-None-Match",
            In = ParameterLocation.Header,
            Description = "ETags that the client has (RFC 9110).",
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            Example = ExampleETag,
        });

        operation.Parameters.Add(new OpenApiParameter
        {
            Name = "Prefer",
            In = ParameterLocation.Header,
            Description =
                "`wait=N` (RFC 7240): waits up to N seconds, with If-None-Match until the job differs, otherwise "
                + "until it is final.",
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            Example = "wait=30",
        });

        var responses = operation.Responses ??= [];
        if (responses.TryGetValue("200", out var found) && found is OpenApiResponse ok)
        {
            ok.Description = "The job.";
            ok.Headers = ContractResponses.Headers(JobHeaders);
            foreach (var content in ok.Content?.Values.OfType<OpenApiMediaType>() ?? [])
            {
                content.Examples = ContractExamples.Jobs;
            }
        }
        responses["304"] = new OpenApiResponse
        {
            Description = "The job is as the client has it.",
            Headers = ContractResponses.Headers(JobHeaders)
        };

        ContractResponses.AddProblems(responses, context.SchemaGenerator, context.SchemaRepository,
            problems.Of(ProblemScope.Jobs), withCache: true);
    }

    private static string WhenFinal(JobsOptions jobs)
    {
        static string Listed(IEnumerable<string> words) => string.Join(", ", words.Select(word => $"`{word}`"));
        return $"""
            A job is final when `finished_at` is set and `status` is one of these words, in any case. The job succeeded:
            {Listed(jobs.FinishedWords)}. It did not: {Listed(jobs.FailedWords)}.
            Stop polling then. A `progress` of 100 does not make a job final, and neither does a missing `Retry-After`.
            """;
    }
}
