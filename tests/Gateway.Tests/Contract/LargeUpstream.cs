using System.Text.Json.Nodes;

namespace Gateway.Tests.Contract;

/// <summary>
/// A realistic OpenAPI document of an upstream: more than fifty operations, circular schemas, names that the gateway
/// uses as well, and internal details.
/// </summary>
internal static class LargeUpstream
{
    /// <summary>The routes of the document that the gateway republishes.</summary>
    public static (string, string?)[] Routes(string file) =>
    [
        ("Upstream:BaseAddress", "http://upstream.example:8443/base"), ("Upstream:OpenApiDocument", file),
        ("Routes:workflow:Path", "/v0/workflows/{workflow_id}"), ("Routes:workflow:ResponseHeaders:0", "Link"),
        ("Routes:scenes:Path", "/v0/scenes"), ("Routes:scenes:Query:0", "page"), ("Routes:scenes:Query:1", "tag"),
        ("Routes:jobs:Path", "/v0/workflows/{id}/jobs"),
        ("Teams:mapping:Routes:0", "*"),
    ];

    /// <param name="version">The OpenAPI version, 3.0.x or 3.1.x. They differ in some schemas.</param>
    public static JsonObject Document(string version)
    {
        var root = (JsonObject)JsonNode.Parse(
            Json.Replace("$nullable", version.StartsWith("3.0", StringComparison.Ordinal)
            ? """ "type": "string", "nullable": true """
            : """ "type": ["string", "null"] """, StringComparison.Ordinal))!;
        root["openapi"] = version;
        var (paths, schemas) = ((JsonObject)root["paths"]!, (JsonObject)root["components"]!["schemas"]!);
        for (var i = 0; i < 24; i++)
        {
            JsonObject Operation(string verb) => new()
            {
                ["operationId"] = $"{verb}Thing{i}",
                ["responses"] = new JsonObject
                {
                    ["200"] = new JsonObject
                    {
                        ["description"] = "A thing.",
                        ["content"] =
                            new JsonObject
                            {
                                [
                                "application/json"] = new JsonObject
                                {
                                    ["schema"] =
                                    new JsonObject { ["$ref"] = $"#/components/schemas/Thing{i}" }
                                }
                            },
                    },
                },
            };
            paths[$"/v0/things{i}"] = new JsonObject { ["get"] = Operation("list"), ["post"] = Operation("make") };
            schemas[$"Thing{i}"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] =
                    new JsonObject
                    {
                        [
                        "next"] = new JsonObject { ["$ref"] = $"#/components/schemas/Thing{(i + 1) % 24}" },
                        ["workflow"] = new JsonObject { ["$ref"] = "#/components/schemas/Workflow" }
                    },
            };
        }
        return root;
    }

    private const string Json = """
        {
          "info": { "title": "Upstream", "version": "7", "description": "Internal." },
          "servers": [ { "url": "http://upstream.example:8443/base" } ],
          "security": [ { "upstreamKey": [] } ],
          "tags": [ { "name": "Workflows", "description": "What runs at http://upstream.example:8443/flows." }, {
            "name": "Jobs", "description": "Theirs." }, { "name": "Secret" } ],
          "paths": {
            "/v0/workflows/{wf}": {
              "summary": "One workflow",
              "servers": [ { "url": "http://other.example" } ],
              "parameters": [ { "$ref": "#/components/parameters/Wf" } ],
              "get": {
                "operationId": "getWorkflow", "tags": [ "Workflows" ], "summary": "Get a workflow",
                  "x-internal": "team-9",
                "description": "See upstream.example:8443 and http://upstream.example:8443/docs for more.",
                "externalDocs": { "url": "http://upstream.example:8443/docs" },
                "security": [ { "upstreamKey": [] } ], "servers": [ { "url": "http://third.example" } ],
                "parameters": [ { "name": "X-Debug", "in": "header", "schema": { "type": "string" } }, { "name": "deep",
                  "in": "query", "schema": { "$ref": "#/components/schemas/Unreached" } } ],
                "responses": {
                  "200": { "$ref": "#/components/responses/Workflow" },
                  "404": { "description": "Theirs.", "content": { "application/json": { "schema": {
                    "$ref": "#/components/schemas/Failure" } } } },
                  "default": { "description": "Theirs.", "content": { "application/json": { "schema": {
                    "$ref": "#/components/schemas/Failure" } } } }
                },
                "callbacks": { "done": { "{$request.query.url}": { "post": { "responses": { "200": {
                  "description": "x" } } } } } }
              },
              "delete": { "operationId": "dropWorkflow", "responses": { "204": { "description": "Gone." } } }
            },
            "/v0/workflows/{id}/jobs": {
              "get": {
                "operationId": "getJobById", "tags": [ "Jobs" ], "summary": "List jobs",
                  "description": "All jobs of a workflow.",
                "responses": { "200": { "description": "Jobs.", "content": { "application/json": { "schema": {
                  "type": "array", "items": { "$ref": "#/components/schemas/Job" } } } } } }
              }
            },
            "/v0/scenes": {
              "get": {
                "operationId": "listScenes", "summary": "List scenes", "description": "Scenes, newest first.",
                "parameters": [
                  { "name": "page", "in": "query", "required": false, "description": "From 1.", "schema": {
                    "type": "integer", "minimum": 1, "default": 1 } },
                  { "name": "token", "in": "query", "schema": { "type": "string" } }
                ],
                "responses": {
                  "200": {
                    "description": "Scenes.",
                    "content": { "application/json": {
                      "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Scene" } },
                      "examples": { "one": { "$ref": "#/components/examples/Scene" }, "odd": { "value": [ {
                        "kind": "Radar", "$ref": "is data here" } ] } }
                    } }
                  }
                }
              }
            }
          },
          "components": {
            "securitySchemes": { "upstreamKey": { "type": "apiKey", "in": "header", "name": "Authorization" } },
            "parameters": { "Wf": { "name": "wf", "in": "path", "required": true, "description": "Which workflow.",
              "schema": { "type": "string" } } },
            "examples": { "Scene": { "summary": "A scene", "value": [ { "kind": "Optical", "id": "s-1",
              "clouds": 0.5 } ] } },
            "headers": { "Link": { "description": "More.", "schema": { "type": "string" } } },
            "responses": {
              "Workflow": {
                "description": "The workflow.",
                "headers": { "Link": { "$ref": "#/components/headers/Link" }, "X-Cost": { "schema": {
                  "$ref": "#/components/schemas/Unreached" } } },
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Workflow" } } },
                "links": { "jobs": { "operationId": "getJobById" } }
              }
            },
            "schemas": {
              "Workflow": {
                "type": "object", "required": [ "id" ], "externalDocs": { "url": "http://upstream.example:8443/docs" },
                  "x-table": "wf",
                "properties": {
                  "id": { "type": "string" }, "note": { $nullable, "description": "Free text." },
                  "root": { "$ref": "#/components/schemas/Node" }, "owner": { "$ref": "#/components/schemas/Owner" },
                  "example": { "type": "string", "default": "$ref", "example": "http://upstream.example:8443/x" },
                  "labels": { "type": "object", "additionalProperties": { "$ref": "#/components/schemas/Label" } }
                },
                "example": { "id": "w-1", "self": "http://upstream.example:8443/v0/workflows/w-1",
                  "$ref": "#/data/and/no/reference" }
              },
              "Node": {
                "type": "object",
                "properties": {
                  "name": { "type": "string" }, "children": { "type": "array", "items": {
                    "$ref": "#/components/schemas/Node" } },
                  "workflow": { "$ref": "#/components/schemas/Workflow" }
                }
              },
              "Owner": { "type": "object", "properties": { "friends": { "type": "array", "items": {
                "$ref": "#/components/schemas/Friend" } } } },
              "Friend": { "type": "object", "properties": { "of": { "$ref": "#/components/schemas/Owner" }, "name": {
                "$ref": "#/components/schemas/Node/properties/name" } } },
              "Label": { "type": "string", "maxLength": 20 },
              "Job": { "type": "object", "properties": { "id": { "type": "string" }, "after": {
                "$ref": "#/components/schemas/Job" }, "tasks": { "type": "array", "items": {
                "$ref": "#/components/schemas/jobtask" } } } },
              "jobtask": { "type": "object", "properties": { "job": { "$ref": "#/components/schemas/Job" } } },
              "Scene": { "type": "object", "required": [ "kind" ], "properties": { "kind": { "type": "string" }, "id": {
                "type": "string" } }, "discriminator": { "propertyName": "kind" } },
              "Optical": { "allOf": [ { "$ref": "#/components/schemas/Scene" }, { "type": "object", "properties": {
                "clouds": { "type": "number" } } } ] },
              "Radar": { "allOf": [ { "$ref": "#/components/schemas/Scene" }, { "type": "object", "properties": {
                "band": { "$ref": "#/components/schemas/Band" } } } ] },
              "Band": { "type": "string", "enum": [ "X", "C" ] },
              "Failure": { "type": "object", "properties": { "code": { "type": "string" } } },
              "Unreached": { "type": "object" }
            }
          }
        }
        """;
}
