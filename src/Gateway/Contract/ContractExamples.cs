using System.Text.Json.Nodes;
using Gateway.Limits;
using Gateway.Problems;
using Microsoft.OpenApi;

namespace Gateway.Contract;

/// <summary>Example bodies of answers, for readers and for mock servers.</summary>
internal static class ContractExamples
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

    public static IDictionary<string, IOpenApiExample> Jobs => new Dictionary<string, IOpenApiExample>
    {
        ["finished"] = Example("A job that has succeeded", """
            {
              "id": "job-7", "workflow_id": "survey-1", "created_by": "analyst@survey.example", "status": "completed",
                "progress": "100",
              "tasks": [
                {
                  "id": "task-1", "name": "ingest", "status": "completed", "progress": 100, "depends_on": [],
                    "estimated_time_duration": 120,
                  "time_taken": "1m58s", "created_at": "2026-05-04T12:00:00Z", "finished_at": "2026-05-04T12:01:58Z",
                  "inputs": { "scene": "S2A_20260503" }, "result": [ { "kind": "mosaic", "tiles": 24 } ], "info_logs": [
                    123, 125 ],
                  "block_info": { "id": "block-3", "name": "ingest", "version": "1.4.0" }
                }
              ],
              "val_errors": [], "spec": { "area": "north" }, "cost": 1250, "estimated_duration": 540,
                "time_taken": "9m2s",
              "created_at": "2026-05-04T12:00:00Z", "updated_at": "2026-05-04T12:09:02Z",
                "finished_at": "2026-05-04T12:09:02Z"
            }
            """),
        ["running"] = Example("A job that is under way: ask again after Retry-After", """
            {
              "id": "job-8", "workflow_id": "survey-1", "status": "running", "progress": "45%", "tasks": [],
                "val_errors": [], "spec": null,
              "cost": 1250, "estimated_duration": 540, "created_at": "2026-05-04 12:00:00Z",
                "updated_at": "2026-05-04 12:04:03Z", "finished_at": ""
            }
            """),
    };

    public static IDictionary<string, IOpenApiExample> Of(IEnumerable<ProblemType> types) =>
        types.ToDictionary(type => type.Slug,
            IOpenApiExample (type) => new OpenApiExample { Summary = type.Title, Value = Body(type) });

    private static JsonObject Body(ProblemType type)
    {
        var body = new JsonObject
        {
            ["type"] = type.Uri,
            ["title"] = type.Title,
            ["status"] = type.Status,
            ["detail"] = type.Advice,
            ["traceId"] = TraceId,
        };
        if (type == QuotaProblems.QuotaExceeded) body["violated-policies"] = new JsonArray("standard");
        if (type.Slug.StartsWith("upstream-", StringComparison.Ordinal) && type.Status is 400 or 403 or 404)
        {
            body["error"] = new JsonObject { ["code"] = "E42", ["message"] = "What the upstream says." };
        }
        return body;
    }

    private static OpenApiExample Example(string summary, string json) =>
        new() { Summary = summary, Value = JsonNode.Parse(json) };
}
