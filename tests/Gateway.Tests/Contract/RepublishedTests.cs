using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Configuration;
using Gateway.Contract.Republished;
using Gateway.Routes;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;

namespace Gateway.Tests.Contract;

/// <summary>Tests that routes are published as the upstream's own document describes them.</summary>
public sealed class RepublishedTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-republished-");

    public void Dispose() => _folder.Delete(recursive: true);

    public static TheoryData<string, string, string> Forms =>
        [
            .. from source in (string[])["3.0.3", "3.1.0", "3.2.0"] from form in (string[])["json", "yaml"]
            from published in (string[])["openapi/v0.json", "openapi/3.0/v0.json"] select (source, form, published)];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task The_contract_contains_exactly_the_configured_routes_and_the_schemas_they_reach(
        string source, string form, string published)
    {
        Assert.True(Operations(LargeUpstream.Document(source)) >= 50);
        var document = await PublishAsync(source, form, published);

        Assert.Equal(["/v0/events", "/v0/jobs", "/v0/scenes", "/v0/workflows/{id}/jobs", "/v0/workflows/{workflow_id}",
            "/v0/workflows/{workflow_id}/jobs/{job_id}", "/v0/workflows/{workflow_id}/jobs/{job_id}/events"],
            Names(document["paths"]).Order(StringComparer.Ordinal));
        Assert.Equal(7, Operations(document));
        Assert.Equal(
            ["Band", "Friend", "Label", "Node", "Optical", "Owner", "Radar", "Scene", "UpstreamJob", "Upstreamjobtask",
            "Workflow", "name"],
            Names(document["components"]!["schemas"])
                .Except(Names((await PublishAsync(null, form, published))["components"]!["schemas"]))
                .Order(StringComparer.Ordinal));
        Assert.Equal(
            ["getEvents", "getJobById", "getJobByIdOfUpstream", "getJobEvents", "getJobs", "getWorkflow", "listScenes"],
            document["paths"]!.AsObject().Select(path => $"{path.Value!["get"]!["operationId"]}")
                .Order(StringComparer.Ordinal));
        Assert.Equal(Names((await PublishAsync(null, form, published))["components"]!["securitySchemes"]),
            Names(document["components"]!["securitySchemes"]));
        AssertReferencesLead(document, document, "#");
    }

    [Fact]
    public async Task Internal_details_of_the_upstreams_document_are_not_published()
    {
        var document = await PublishAsync("3.1.0", "json", "openapi/v0.json");
        var text = document.ToJsonString();
        foreach (
            var word in (string[])["upstream.example", "other.example", "third.example", "upstreamKey", "x-internal",
            "x-table", "externalDocs", "callbacks", "X-Debug", "X-Cost", "\"token\"", "\"deep\"",
            "\"Failure\"", "Internal."])
        {
            Assert.DoesNotContain(word, text, StringComparison.OrdinalIgnoreCase);
        }
        Assert.DoesNotContain("servers", Names(document["paths"]!["/v0/workflows/{workflow_id}"]));
    }

    [Fact]
    public async Task A_published_operation_describes_what_the_gateway_forwards()
    {
        var document = await PublishAsync("3.0.3", "json", "openapi/v0.json");
        var (workflow, scenes) = (Get(document, "/v0/workflows/{workflow_id}"), Get(document, "/v0/scenes"));

        Assert.Equal(["workflow_id"], workflow["parameters"]!.AsArray().Select(parameter => $"{parameter!["name"]}"));
        Assert.Equal("Which workflow.", $"{workflow["parameters"]![0]!["description"]}");
        Assert.Equal(["page", "tag"], scenes["parameters"]!.AsArray().Select(parameter => $"{parameter!["name"]}"));
        Assert.Equal("1", $"{scenes["parameters"]![0]!["schema"]!["minimum"]}");
        Assert.Equal(["200", "400", "401", "403", "404", "410", "416", "429", "451", "500", "502", "503", "504"],
            Names(workflow["responses"]).Order(StringComparer.Ordinal));
        Assert.Equal(["Cache-Control", "Link", "RateLimit", "RateLimit-Policy", "Vary"],
            Names(workflow["responses"]!["200"]!["headers"]).Order(StringComparer.Ordinal));
        Assert.Equal("The workflow.", $"{workflow["responses"]!["200"]!["description"]}");
        Assert.Contains("/problems/route-forbidden", workflow["responses"]!["403"]!.ToJsonString(),
            StringComparison.Ordinal);
        Assert.Contains("/problems/upstream-not-found", workflow["responses"]!["404"]!.ToJsonString(),
            StringComparison.Ordinal);
        Assert.DoesNotContain("job-not-found", workflow.ToJsonString(), StringComparison.Ordinal);
        var example = scenes["responses"]!["200"]!["content"]!["application/json"]!["examples"]!["one"]!["value"]!;
        Assert.Equal("0.5", $"{example[0]!["clouds"]}");
        // Tools would treat a "$ref" in an example as a reference.
        Assert.DoesNotContain("no/reference", document.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("is data here", document.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(["Jobs", "Routes", "Workflows"],
            document["tags"]!.AsArray().Select(tag => $"{tag!["name"]}").Order(StringComparer.Ordinal));

        Assert.Equal("What runs at /flows.",
            $"{document["tags"]!.AsArray().Single(tag => $"{tag!["name"]}" == "Workflows")!["description"]}");

        // OpenAPI 3.0 has "nullable"; 3.1 lists "null" as a type.
        var note = document["components"]!["schemas"]!["Workflow"]!["properties"]!["note"]!;
        Assert.Equal(["null", "string"],
            note["type"]!.AsArray().Select(type => $"{type}").Order(StringComparer.Ordinal));
        Assert.Equal(["Optical", "Radar"],
            Names(document["components"]!["schemas"]).Where(name => name is "Optical" or "Radar"));
    }

    [Fact]
    public async Task Without_an_upstream_document_routes_are_described_from_the_configuration()
    {
        await using var world = await World.StartAsync(
            ("Routes:scenes:Path", "/v0/scenes/{scene}"), ("Routes:scenes:Query:0", "page"));
        var document = await PublishedAsync(world, "openapi/v0.json");
        var scenes = Get(document, "/v0/scenes/{scene}");
        Assert.Equal(("scenes", "GET /v0/scenes/{scene}"), ($"{scenes["operationId"]}", $"{scenes["summary"]}"));
        Assert.Equal(["scene", "page"], scenes["parameters"]!.AsArray().Select(parameter => $"{parameter!["name"]}"));
        Assert.Equal([Gateway.Jobs.JobAddress.Form, ""],
            scenes["parameters"]!.AsArray().Select(parameter => $"{parameter!["description"]}"));
        Assert.Contains("429", Names(scenes["responses"]));
    }

    [Theory]
    [InlineData("/components/schemas/Friend/properties/of/$ref", "#/components/schemas/Nobody",
        "#/components/schemas/Friend/properties/of/$ref: there is no '#/components/schemas/Nobody'")]
    [InlineData("/components/schemas/Node/properties/children/items/$ref", "other.json#/Node",
        "#/components/schemas/Node/properties/children/items/$ref: 'other.json#/Node' leads out of the document")]
    [InlineData("/paths/~1v0~1workflows~1{wf}/get/responses/200/$ref", "#/components/responses/None",
        "#/paths/~1v0~1workflows~1{wf}/get/responses/200/$ref: there is no '#/components/responses/None'")]
    [InlineData("/paths/~1v0~1workflows~1{wf}/parameters/0/$ref", "#/components/parameters/None",
        "#/paths/~1v0~1workflows~1{wf}/parameters/0/$ref: there is no '#/components/parameters/None'")]
    [InlineData("/components/schemas/Label/$dynamicRef", "#x",
        "#/components/schemas/Label/$dynamicRef: such references cannot be followed")]
    [InlineData("/components/responses/Workflow/headers/Link/$ref", "#/components/responses/Workflow/headers/Link",
        "#/components/responses/Workflow/headers/Link refers to itself")]
    [InlineData("/openapi", "2.0", "it is written in OpenAPI 2.0; 3.0, 3.1 and 3.2 can be read")]
    [InlineData("/paths", "none", "it describes no paths")]
    [InlineData("/paths/~1v0~1scenes", "none", "#/paths/~1v0~1scenes is no object")]
    [InlineData("/paths/~1v0~1scenes/get", "none", "it describes no GET /v0/scenes, of Routes:scenes")]
    [InlineData("/components/schemas/Label", "none", "#/components/schemas/Label is no schema")]
    [InlineData("/components/schemas/Friend/properties/of/$ref", "#/info/title", "#/info/title is no schema")]
    [InlineData("/components/schemas/Friend/properties/of/$ref", "#/tags/3/name",
        "#/components/schemas/Friend/properties/of/$ref: there is no '#/tags/3/name'")]
    [InlineData("/components/schemas/Label/maximum", "none", "#/components/schemas/Label/maximum is no number")]
    [InlineData("/components/schemas/Friend/properties/of/$ref", "#/components/schemas/Label/maxLength/x",
        "#/components/schemas/Friend/properties/of/$ref: there is no '#/components/schemas/Label/maxLength/x'")]
    [InlineData("/components/schemas/Label/description", "\u0001",
        "a value cannot be read, or cannot be written as JSON: ")]
    [InlineData("/components/schemas/Label/maxLength", "99999999999",
        "a value cannot be read, or cannot be written as JSON: ")]
    [InlineData("/components/schemas/Label/type", "none", "#/components/schemas/Label/type: ")]
    [InlineData("/components/schemas/Label/maxLength", "none", "#/components/schemas/Label/maxLength is no number")]
    [InlineData("/components/schemas/Label/<<", "none",
        "#/components/schemas/Label/<<: such references cannot be followed")]
    public void A_document_that_cannot_be_republished_is_a_startup_error_with_its_position(
        string place, string value, string expected)
    {
        var document = LargeUpstream.Document("3.1.0");
        Set(document, place, value);
        Assert.StartsWith("Upstream:OpenApiDocument: " + expected, Assert.Single(Errors(document.ToJsonString())),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"openapi\":", "the file is neither JSON nor YAML")]
    [InlineData("a: [", "the file is neither JSON nor YAML")]
    [InlineData("", "the file is no OpenAPI document")]
    [InlineData("[1]", "the file is no OpenAPI document")]
    [InlineData("a: &a [*a]", "the file is neither JSON nor YAML that can be read")]
    [InlineData("? [a]\n: b", "the file is neither JSON nor YAML that can be read")]
    [InlineData("{\"openapi\":\"3.1.0\",\"openapi\":\"3.1.0\"}", "the file is neither JSON nor YAML that can be read")]
    [InlineData("{openapi: 3.1.0, paths: {}, components: []}", "it describes no GET")]
    [InlineData("{}", "the file is no OpenAPI document")]
    [InlineData("swagger: '2.0'", "it is written in OpenAPI 2.0; 3.0, 3.1 and 3.2 can be read")]
    [InlineData("swagger: 2.0", "it is written in OpenAPI 2.0; 3.0, 3.1 and 3.2 can be read")]
    public void A_file_that_is_not_an_OpenAPI_document_is_a_startup_error(string text, string expected) =>
        Assert.StartsWith("Upstream:OpenApiDocument: " + expected, Errors(text)[0], StringComparison.Ordinal);

    [Fact]
    public void Half_of_a_surrogate_pair_is_a_startup_error()
    {
        var document = LargeUpstream.Document("3.1.0");
        Set(document, "/components/schemas/Label/description", "half");
        Assert.Contains("cannot be read", Assert.Single(Errors(
            document.ToJsonString().Replace("\"half\"", "\"\\ud800\"", StringComparison.Ordinal))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_reference_that_no_route_reaches_is_ignored()
    {
        var document = LargeUpstream.Document("3.1.0");
        Set(document, "/components/schemas/Thing3/properties/next/$ref", "#/components/schemas/Nobody");
        Assert.Empty(Errors(document.ToJsonString()));
    }

    public static TheoryData<string, string> Schemas => new()
    {
        { """{"const":5}""", """{"enum":[5]}""" },
        { """{"oneOf":[{"type":"string"},{"const":null}]}""", """{"oneOf":[{"type":"string"},{"enum":[null]}]}""" },
        { """{"type":"array","prefixItems":[{"type":"string"}],"items":false}""", """{"type":"array"}""" },
        { """{"type":"object","properties":{"a":true,"b":false}}""",
        """{"type":"object","properties":{"a":{},"b":{"not":{}}}}""" },
        { """{"anyOf":[{"type":"string"},true]}""", """{"anyOf":[{"type":"string"},{}]}""" },
        { """{"type":"object","additionalProperties":false}""", """{"type":"object","additionalProperties":false}""" },
        { """{"type":"string","nullable":true,"contentEncoding":"base64","if":{"$ref":"#/nowhere"}}""",
        """{"type":"string"}""" },
        { """{"not":{"type":"string","x-internal":1}}""", """{"not":{"type":"string"}}""" },
        { """{"type":"object","patternProperties":{"^a":{"type":"string","x-internal":1}}}""",
        """{"patternProperties":{"^a":{"type":"string"}},"type":"object"}""" },
        { """{"type":"object","default":{"a":{"$ref":"no"}},"example":[{"$ref":"no"}]}""", """{"type":"object"}""" },
        { """{"type":"string","title":"At """
            + """HTTP://API/x","default":"http://api/a","example":"http://api/b","examples":["http://api/c"]}""",
            """{"examples":["/c"],"title":"At /x","type":"string","default":"/a","example":"/b"}""" },
        { """{"type":"object","properties":{"title":{"enum":["http://api/x"]}}}""",
        """{"type":"object","properties":{"title":{"enum":["http://api/x"]}}}""" },
        {
            """{"type":"string","pattern":"^api$","enum":["api","http://api/x"],"description":"At http://api/x."}""",
            """{"pattern":"^api$","enum":["api","http://api/x"],"type":"string","description":"At /x."}"""
        },
    };

    [Theory]
    [MemberData(nameof(Schemas))]
    public async Task A_schema_is_published_in_a_portable_form_that_allows_no_less(string schema, string published)
    {
        var made = await MakeAsync($$"""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"description":"x",
            "content":{"application/json":{"schema":{{schema}} } } } } } } } }
            """);
        var media = made["paths"]!["/a"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!;
        Assert.Equal(published, media["schema"]!.ToJsonString());
    }

    [Fact]
    public async Task A_null_in_YAML_is_published_as_null()
    {
        var made = await MakeAsync("""
            openapi: 3.1.0
            paths:
              /a:
                get:
                  responses:
                    200:
                      description: x
                      content:
                        application/json:
                          schema: { enum: [ null, "null", ~ ] }
                          example: { a: null, b: 2026-01-31, c: 1.50 }
            """);
        var media = made["paths"]!["/a"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!;
        Assert.Equal("""{"schema":{"enum":[null,"null",null]},"example":{"a":null,"b":"2026-01-31","c":1.50}}""",
            media.ToJsonString());
    }

    [Fact]
    public async Task A_renamed_alternative_keeps_its_discriminator_value()
    {
        var made = await MakeAsync("""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"default":{"description":"Either.","content":{
              "application/json":{"schema":
              {"oneOf":[{"$ref":"#/components/schemas/Job"},{"$ref":"#/components/schemas/Cat"}],"discriminator":{
                "propertyName":"kind"}}}}}}}}},
             "components":{"schemas":{"Job":{"type":"object","properties":{"kind":{"type":"string"}}},"Cat":{
               "type":"object"}}}}
            """);
        // If no success response is described, the default response becomes the 200.
        var schema = made["paths"]!["/a"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!["schema"]!;
        Assert.Equal("""{"Job":"#/components/schemas/UpstreamJob","Cat":"#/components/schemas/Cat"}""",
            schema["discriminator"]!["mapping"]!.ToJsonString());
    }

    [Theory]
    [
        InlineData("""{"propertyName":"kind","mapping":{"cat":"Cat","job":"#/components/schemas/Job"}}""",
        """{"propertyName":"kind","mapping":"""
        + """{"cat":"#/components/schemas/Cat","job":"#/components/schemas/UpstreamJob"}}""")]
    [InlineData("""{"propertyName":"kind"}""", """{"propertyName":"kind"}""")]
    public async Task An_explicit_discriminator_mapping_is_kept_and_none_is_added_without_a_rename(
        string discriminator, string published)
    {
        var made = await MakeAsync($$"""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"description":"x","content":{
              "application/json":{"schema":
              {"oneOf":[{"$ref":"#/components/schemas/Cat"}],"discriminator":{{discriminator}} } } } } } } } },
             "components":{"schemas":{"Job":{"type":"object"},"Cat":{"type":"object"} } } }
            """);
        var schema = made["paths"]!["/a"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!["schema"]!;
        Assert.Equal(published, schema["discriminator"]!.ToJsonString());
    }

    [Fact]
    public async Task A_schema_with_an_invalid_or_taken_name_is_renamed()
    {
        var made = await MakeAsync("""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"description":"x","content":{
              "application/json":{"schema":{"oneOf":[
              {"$ref":"#/components/schemas/Page%3CJob~1Task%3E"},{"$ref":"#/components/schemas/UpstreamJob"},{
                "$ref":"#/components/schemas/job"},{"$ref":"#/components/schemas/All~01"}]}}}}}}}},
             "components":{"schemas":{"Page<Job/Task>":{"type":"object"},"UpstreamJob":{"type":"object"},"job":{
               "type":"object"},"All~1":{"type":"object"}}}}
            """);
        Assert.Equal(["All_1", "Page_Job_Task_", "UpstreamJob", "Upstreamjob2"],
            Names(made["components"]!["schemas"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_operation_is_published_with_its_parameters_examples_and_responses()
    {
        var made = await MakeAsync("""
            {"openapi":"3.1.0","paths":{"/a/{id}":{
              "parameters":[{"name":"id","in":"path","schema":{"type":"string"}},{"name":"page","in":"query",
                "description":"Of the path."},{"name":"sort","in":"query","description":"Of the path."}],
              "get":{"operationId":"GETJOBBYID","tags":[],"summary":"See http://api/docs.",
                "parameters":[{"name":"page","in":"query","description":"Of the operation.","example":{"$ref":"no"},
                  "content":{"application/json":{"schema":{"type":"integer"}}},"examples":{"second":{"value":2},"odd":{
                  "summary":"x","value":{"$ref":"no"}}}}],
                "responses":{"304":{"description":"As it was."},"404":{"description":"None."}}}}}}
            """, "http://api/", "/a/{id}", "page", "sort");
        var operation = Get(made, "/a/{id}");

        Assert.Equal(
            ("GETJOBBYIDOfUpstream", "See /docs.",
            "Passed on to the upstream, and its answer back. Nothing is cached."),
            ($"{operation["operationId"]}", $"{operation["summary"]}", $"{operation["description"]}"));
        Assert.Equal(["Routes"], operation["tags"]!.AsArray().Select(tag => $"{tag}"));
        Assert.Equal(JsonNode.Parse(
            """
            [{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"page","in":"query",
              "description":"Of the operation.","examples":{"second":{"value":2}},"content":{"application/json":{
              "schema":{"type":"integer"}}}},{"name":"sort","in":"query","description":"Of the path."}]
            """)!.ToJsonString(), operation["parameters"]!.ToJsonString());
        Assert.Equal("""{"304":{"description":"As it was."},"200":{"description":"What the upstream answered."}}""",
            operation["responses"]!.ToJsonString());
    }

    [Theory]
    [InlineData("https://up.example/v0", "/things", "http://api/", "/v0/things")]
    [InlineData("/v0/", "/things", "http://api/", "/v0/things")]
    [InlineData("https://up.example/v0", "/things", "http://api/v0", "/things")]
    [InlineData("https://up.example/base/v0", "/things", "http://api/base/", "/v0/things")]
    public async Task A_path_is_resolved_against_the_path_of_the_server_URL(
        string server, string path, string address, string route)
    {
        var made =
            await MakeAsync(
                $$"""{"openapi":"3.0.0","servers":[{"url":"{{server}}"}]"""
                + $$""","paths":{"{{path}}":{"get":{"operationId":"it","responses":{} } } } }""", address, route);
        Assert.Equal("it", $"{made["paths"]![route]!["get"]!["operationId"]}");
    }

    [Theory]
    [InlineData("""[{"url":"https://one.example/v1"},{"url":"https://two.example/v0"}]""")]
    [InlineData("""[{"url":"https://{name}.example:{port}/{base}","variables":{"name":{"default":"api"},"""
        + """ "port":{"default":"8443"},"base":{"enum":["v0","v1"],"default":"v0"}}}]""")]
    public async Task A_path_is_resolved_against_each_server_with_the_defaults_of_its_variables(string servers)
    {
        var made = await MakeAsync(
            $$"""{"openapi":"3.0.0","servers":{{servers}},"""
            + """ "paths":{"/things":{"get":{"operationId":"it","responses":{}}}}}""",
            route: "/v0/things");
        Assert.Equal("it", $"{Get(made, "/v0/things")["operationId"]}");
    }

    [Fact]
    public void Only_what_routes_reach_is_kept_of_a_document()
    {
        var file = Path.Combine(_folder.FullName, "upstream");
        File.WriteAllText(file, LargeUpstream.Document("3.1.0").ToJsonString());
        var options = new UpstreamOptions { OpenApiDocument = file };
        var kept = RepublishedRoutes.Read(options, new RoutesOptions(new() { ["r"] = new() { Path = "/v0/scenes" } }))!;
        Assert.Equal(["Band", "Optical", "Radar", "Scene"], Names(kept.Schemas).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("properties", "")]
    [InlineData("items", "")]
    [InlineData("properties", "# YAML\n")]
    public async Task Schemas_within_schemas_are_published_at_any_usual_depth(string keyword, string beginning)
    {
        const int Depth = 100;
        var (open, close) = keyword == "items" ? ("{\"items\":", "}") : ("{\"properties\":{\"a\":", "}}");
        var schema = string.Concat(Enumerable.Repeat(open, Depth)) + "{\"type\":\"string\"}"
            + string.Concat(Enumerable.Repeat(close, Depth));
        var made = await MakeAsync(beginning
            + """{"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"description":"x","content":{"""
            + $$"""
              "application/json":{"schema":{{schema}} } } } } } } } }
              """);
        var published = made.ToJsonString(new JsonSerializerOptions { MaxDepth = 1000 });
        Assert.Contains(schema[^200..], published, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_servers_of_a_path_override_those_of_the_document()
    {
        var made =
            await MakeAsync(
                """{"openapi":"3.0.0","servers":[{"url":"/v1"}],"paths":{"/things":{"servers":[{"url":"/v0"}],"get":"""
                + """{"operationId":"it","responses":{}}}}}""", route: "/v0/things");
        Assert.Equal("it", $"{Get(made, "/v0/things")["operationId"]}");
    }

    [Fact]
    public async Task A_reference_to_a_reference_is_resolved()
    {
        var made = await MakeAsync("""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"$ref":"#/components/responses/One"}}}}},
             "components":{"responses":{"One":{"$ref":"#/components/responses/Two"},"Two":{
               "$ref":"#/components/responses/Three"},"Three":{"description":"It."}}}}
            """);
        Assert.Equal("It.", $"{Get(made, "/a")["responses"]!["200"]!["description"]}");
    }

    [Theory]
    [InlineData("302")]
    [InlineData("308")]
    [InlineData("3XX")]
    public async Task An_operation_that_only_redirects_is_published_as_such(string status)
    {
        var made = await MakeAsync($$"""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{
              "{{status}}":{"description":"To the file.",
                "content":{"text/html":{"schema":{"type":"string"} } },"headers":{
                "Location":{"description":"At http://api/files.","schema":{"type":"string"} },
                "X-Internal":{"schema":{"type":"string"} } } },
              "304":{"description":"As it was."},"404":{"description":"None."},
              "default":{"description":"Any."} } } } } }
            """);
        Assert.Equal(
            $$$"""{"{{{status}}}":{"description":"To the file.","headers":{"Location":{"description":"At /files.","""
                + """ "schema":{"type":"string"}}}},"304":{"description":"As it was."}}""".TrimStart(),
            Get(made, "/a")["responses"]!.ToJsonString());
    }

    [Fact]
    public async Task A_redirect_is_published_beside_a_success_and_has_a_target()
    {
        var made = await MakeAsync("""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{
              "200":{"description":"Here."},"307":{"description":"There."},"300":{"description":"No."}}}}}}
            """);
        var responses = Get(made, "/a")["responses"]!;
        Assert.Equal(["200", "307"], Names(responses).Order(StringComparer.Ordinal));
        Assert.Equal("uri-reference", $"{responses["307"]!["headers"]!["Location"]!["schema"]!["format"]}");
    }

    [Fact]
    public async Task Request_headers_that_the_gateway_forwards_are_published()
    {
        var made = await MakeAsync("""
            {"openapi":"3.1.0","paths":{"/a":{"get":{"parameters":[
              {"name":"Range","in":"header","description":"Of bytes.","schema":{"type":"string"}},
              {"name":"X-Other","in":"header","schema":{"type":"string"}},
              {"name":"Accept","in":"header","schema":{"type":"string"}}],
              "responses":{"206":{"description":"A part.","headers":{"Content-Range":{"schema":{"type":"string"}},
                "Content-Digest":{"schema":{"type":"string"}}}}}}}}}
            """);
        Assert.Equal("""[{"name":"Range","in":"header","description":"Of bytes.","schema":{"type":"string"}}]""",
            Get(made, "/a")["parameters"]!.ToJsonString());
        Assert.Equal(["Content-Range"], Names(Get(made, "/a")["responses"]!["206"]!["headers"]));
    }

    [Fact]
    public async Task A_document_of_OpenAPI_3_2_is_published_in_the_terms_of_3_1()
    {
        var made = await MakeAsync("""
            {"openapi":"3.2.0","$self":"https://api.example/v9/openapi.json","servers":[{"url":"./","name":"live"}],
             "tags":[{"name":"T","summary":"Things.","kind":"nav","parent":"U"},{"name":"U"}],
             "paths":{
              "/a":{
               "query":{"operationId":"search","requestBody":{"content":{}},"responses":{}},
               "additionalOperations":{"COPY":{"operationId":"copy","responses":{}}},
               "get":{"operationId":"list","tags":["T"],
                "parameters":[{"name":"filter","in":"querystring","content":{"application/json":{"schema":{}}}},
                 {"name":"page","in":"query",
                  "schema":{"$ref":"https://api.example/v9/openapi.json#/components/schemas/Page"}}],
                "responses":{"200":{"summary":"All of them.","content":{
                 "application/jsonl":{"itemSchema":{"$ref":"openapi.json#/components/schemas/Thing"},"itemEncoding":{}},
                 "text/event-stream":{"$ref":"#/components/mediaTypes/Events"},
                 "application/json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Thing"}},
                  "examples":{"data":{"dataValue":[{"kind":"cat"}]},"text":{"serializedValue":"[]"},
                   "far":{"externalValue":"http://api/x"}}}}}}}}},
             "components":{
              "mediaTypes":{"Events":{"itemSchema":{"type":"object","properties":{"data":{"type":"string"}}},
               "prefixEncoding":[]}},
              "schemas":{
               "Page":{"type":"integer"},
               "Thing":{"oneOf":[{"$ref":"#/components/schemas/Cat"},{"$ref":"#/components/schemas/Other"}],
                "discriminator":{"propertyName":"kind","defaultMapping":"Other"}},
               "Cat":{"type":"object","properties":{"kind":{"type":"string","xml":{"nodeType":"attribute"}}}},
               "Other":{"type":"object","xml":{"nodeType":"element","name":"other"}}}}}
            """, "http://api/", "/v9/a", "page", "filter");

        Assert.Equal("3.1", $"{made["openapi"]}"[..3]);
        Assert.Equal(["get"], Names(made["paths"]!["/v9/a"]));
        var list = Get(made, "/v9/a");
        Assert.Equal("""[{"name":"page","in":"query","schema":{"$ref":"#/components/schemas/Page"}},"""
            + """{"name":"filter","in":"query","schema":{"type":"string"}}]""", list["parameters"]!.ToJsonString());
        var answer = list["responses"]!["200"]!;
        Assert.Equal("All of them.", $"{answer["description"]}");
        var content = answer["content"]!;
        Assert.Equal("""{"schema":{"$ref":"#/components/schemas/Thing"}}""",
            content["application/jsonl"]!.ToJsonString());
        Assert.Equal("""{"schema":{"type":"object","properties":{"data":{"type":"string"}}}}""",
            content["text/event-stream"]!.ToJsonString());
        Assert.Equal("""{"data":{"value":[{"kind":"cat"}]},"text":{"value":"[]"}}""",
            content["application/json"]!["examples"]!.ToJsonString());
        var schemas = made["components"]!["schemas"]!;
        Assert.Equal(["Cat", "Other", "Page", "Thing"], Names(schemas).Order(StringComparer.Ordinal));
        Assert.Equal(["oneOf"], Names(schemas["Thing"]));
        Assert.Equal(["""{"attribute":true}""", """{"name":"other"}"""],
            ((string[])[schemas["Cat"]!["properties"]!["kind"]!["xml"]!.ToJsonString(),
                schemas["Other"]!["xml"]!.ToJsonString()]));
        Assert.Equal("Things.", $"{made["tags"]![0]!["description"]}");
    }

    [Theory]
    [InlineData("https://api.example/openapi.json", "https://other.example/openapi.json#/components/schemas/S")]
    [InlineData("https://api.example/openapi.json", "other.json#/components/schemas/S")]
    [InlineData("https://api.example/openapi.json", "https://api.example/openapi.json")]
    [InlineData("openapi.json", "openapi.json#/components/schemas/S")]
    public void A_reference_to_another_document_than_itself_is_a_startup_error(string self, string reference)
    {
        var document = LargeUpstream.Document("3.2.0");
        document["$self"] = self;
        Set(document, "/components/schemas/Friend/properties/of/$ref", reference);
        Assert.Contains("leads out of the document", Assert.Single(Errors(document.ToJsonString())),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_chain_of_20_000_schemas_is_followed()
    {
        var schemas = string.Join(',', Enumerable.Range(0, 20_000).Select(i => $$"""
            "S{{i}}":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/S{{(i + 1) % 20_000}}"} } }
            """));
        var made =
            await MakeAsync(
                $$"""{"openapi":"3.1.0","paths":{"/"""
                + $$"""a":{"get":{"responses":{"200":{"description":"x","content":{"application/"""
                + $$"""json":{"schema":{"$ref":"#/components/schemas/"""
                + $$"""S0"} } } } } } } },"components":{"schemas":{ {{schemas}} } } }""");
        Assert.Equal(20_000, made["components"]!["schemas"]!.AsObject().Count);
    }

    [Fact]
    public async Task A_document_that_becomes_invalid_at_run_time_does_not_block_other_changes()
    {
        var file = Path.Combine(_folder.FullName, "upstream.json");
        await File.WriteAllTextAsync(file, LargeUpstream.Document("3.1.0").ToJsonString(), World.Cancellation);
        await using var world = await World.StartAsync(LargeUpstream.Routes(file));
        await File.WriteAllTextAsync(file, "{ half", World.Cancellation);

        world.Gateway.Reconfigure(("Teams:mapping:ApiKeys:0:Sha256", new string('a', 64)));

        using var revoked = await world.GetAsync("finished-1");
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, revoked.StatusCode);
        Assert.Equal(7, (await PublishedAsync(world, "openapi/v0.json"))["paths"]!.AsObject().Count);
    }

    [Fact]
    public async Task The_process_reports_a_missing_document_and_exits()
    {
        var (exit, said) = await ChildProcess.RunAsync("dotnet",
            [typeof(Program).Assembly.Location, "--urls", "http://127.0.0.1:0",
            "--Upstream:Accounts:default:Credential=a-credential", "--Upstream:OpenApiDocument=/nowhere.json",
            "--Routes:r:Path=/v0/x"]);
        Assert.NotEqual(0, exit);
        Assert.Contains("Upstream:OpenApiDocument: names a file that does not exist", said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
    }

    private async Task<JsonObject> MakeAsync(
        string document, string address = "http://api/", string route = "/a", params List<string> query)
    {
        var file = Path.Combine(_folder.FullName, "upstream");
        await File.WriteAllTextAsync(file, document, World.Cancellation);
        var options = new GatewayOptions
        {
            Upstream = { OpenApiDocument = file, BaseAddress = new Uri(address) },
            Routes = { ["r"] = new() { Path = route, Query = query } }
        };
        var made = RepublishedRoutes.Make(RepublishedRoutes.Read(options.Upstream, new RoutesOptions(options.Routes)),
            ForwardedRoute.Of(options.Routes), ["Job"], options.Upstream.BaseAddress);
        return (JsonObject)JsonNode.Parse(
            await made.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, World.Cancellation),
            documentOptions: new JsonDocumentOptions { MaxDepth = 1000 })!;
    }

    private async Task<JsonObject> PublishAsync(string? source, string form, string published)
    {
        var file = Path.Combine(_folder.FullName, $"upstream.{form}");
        if (source is not null)
        {
            await File.WriteAllTextAsync(file, Text(LargeUpstream.Document(source), form), World.Cancellation);
        }
        await using var world = await World.StartAsync(source is null ? [] : LargeUpstream.Routes(file));
        return await PublishedAsync(world, published);
    }

    private static async Task<JsonObject> PublishedAsync(World world, string path)
    {
        using var client = world.Gateway.Client();
        return (JsonObject)JsonNode.Parse(
            await client.GetStringAsync(new Uri(path, UriKind.Relative), World.Cancellation))!;
    }

    private static string Text(JsonObject document, string form) =>
        form == "json" ? document.ToJsonString() : Yaml.Write(document);

    private IReadOnlyList<string> Errors(string text)
    {
        var file = Path.Combine(_folder.FullName, "upstream");
        File.WriteAllText(file, text);
        var settings = new Dictionary<string, string?>(
            LargeUpstream.Routes(file).Select(setting => KeyValuePair.Create(setting.Item1, setting.Item2)))
        {
            ["Upstream:Accounts:default:Credential"] = Canary.Credential,
            ["Quotas:standard:Requests"] = "600",
        };
        settings.Remove("Teams:mapping:Routes:0");
        var options = LiveConfiguration<GatewayOptions>.Read(
            new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        var thrown = Record.Exception(
            () => RepublishedRoutes.Read(options.Upstream, new RoutesOptions(options.Routes)));
        Assert.True(thrown is null or OptionsValidationException, $"{thrown}");
        return [.. (thrown as OptionsValidationException)?.Failures ?? []];
    }

    private static void Set(JsonObject document, string place, string value)
    {
        var tokens = place[1..].Split('/')
            .Select(token => token.Replace("~1", "/", StringComparison.Ordinal)).ToArray();
        JsonNode node = document;
        foreach (var token in tokens[..^1])
        {
            node = node is JsonArray list ? list[int.Parse(token, null)]! : node[token]!;
        }
        node[tokens[^1]] = value;
    }

    private static JsonObject Get(JsonObject document, string path) => (JsonObject)document["paths"]![path]!["get"]!;

    private static int Operations(JsonObject document) => document["paths"]!.AsObject()
        .Sum(path => path.Value!.AsObject()
        .Count(operation => operation.Key is "get" or "put" or "post" or "delete" or "head"));

    private static IEnumerable<string> Names(JsonNode? node) => node?.AsObject().Select(item => item.Key) ?? [];

    private static void AssertReferencesLead(JsonNode? node, JsonObject root, string at)
    {
        foreach (var (name, value) in (node as JsonObject) ?? [])
        {
            if (name == "$ref" && value!.GetValueKind() == JsonValueKind.String)
            {
                Assert.True(root["components"]!["schemas"]![$"{value}"["#/components/schemas/".Length..]] is not null,
                    $"{at}: {value}");
            }
            AssertReferencesLead(value, root, $"{at}/{name}");
        }
        foreach (var item in (node as JsonArray) ?? []) AssertReferencesLead(item, root, at);
    }
}
