using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Contract.Republished;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>Tests the OpenAPI document that the gateway publishes.</summary>
public sealed class PublishedContractTests
{
    [Theory]
    [InlineData("openapi/v0.json", "application/json", "{\n  \"openapi\": \"3.1.0\"")]
    [InlineData("openapi/v0.yaml", "application/yaml", "openapi: '3.1.0'")]
    [InlineData("openapi/3.0/v0.json", "application/json", "{\n  \"openapi\": \"3.0.3\"")]
    [InlineData("openapi/3.0/v0.yaml", "application/yaml", "openapi: 3.0.3\n")]
    public async Task The_contract_is_served_in_two_versions_and_formats_with_entity_tags(
        string path, string type, string beginning)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var first = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        client.DefaultRequestHeaders.IfNoneMatch.Add(first.Headers.ETag!);

        using var second = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.NotModified], [first.StatusCode, second.StatusCode]);
        Assert.Equal(type, first.Content.Headers.ContentType!.MediaType);
        Assert.StartsWith(beginning,
            (await first.Content.ReadAsStringAsync(World.Cancellation)).ReplaceLineEndings("\n"),
            StringComparison.Ordinal);
        Assert.False(first.Headers.ETag!.IsWeak);
        Assert.Equal("public, max-age=300", first.Headers.CacheControl!.ToString());
        Assert.Equal(first.Headers.ETag, second.Headers.ETag);
    }

    [Theory]
    [InlineData("W/\"{0}\"", "GET")]
    [InlineData("W/\"{0}\"", "HEAD")]
    [InlineData("\"other\", \"{0}-gzip\"", "GET")]
    public async Task An_entity_tag_that_a_proxy_changed_matches(string form, string method)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var path = new Uri("openapi/v0.json", UriKind.Relative);
        using var first = await client.GetAsync(path, World.Cancellation);
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        var changed = form.Replace("{0}", first.Headers.ETag!.Tag.Trim('"'), StringComparison.Ordinal);
        request.Headers.TryAddWithoutValidation("If-None-Match", changed);

        using var second = await client.SendAsync(request, World.Cancellation);

        Assert.Equal((HttpStatusCode.NotModified, first.Headers.ETag), (second.StatusCode, second.Headers.ETag));
        Assert.Equal(first.Headers.CacheControl, second.Headers.CacheControl);
    }

    [Theory]
    [InlineData("openapi/v0")]
    [InlineData("openapi/3.0/v0")]
    public async Task JSON_and_YAML_have_the_same_content(string path)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var json = await client.GetStringAsync(new Uri(path + ".json", UriKind.Relative), World.Cancellation);
        var yaml = YamlText.ToJson(
            await client.GetStringAsync(new Uri(path + ".yaml", UriKind.Relative), World.Cancellation));
        Assert.Equal(Leaves(JsonNode.Parse(json), "#"), Leaves(JsonNode.Parse(yaml.Span), "#"));
    }

    private static List<string> Leaves(JsonNode? node, string at) => node switch
    {
        JsonObject holder =>
            [.. holder.OrderBy(item => item.Key, StringComparer.Ordinal)
                .SelectMany(item => Leaves(item.Value, $"{at}/{item.Key}"))],
        JsonArray list => [.. list.SelectMany((item, i) => Leaves(item, $"{at}/{i}"))],
        _ => [$"{at}: {node?.ToJsonString()}"],
    };

    [Fact]
    public async Task The_committed_contract_equals_the_published_one()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var published = await client.GetStringAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation);
        var committed = await File.ReadAllTextAsync(
            Path.Combine(Repository.Root, "docs", "openapi.json"), World.Cancellation);

        Assert.True(published.ReplaceLineEndings("\n").Trim() == committed.ReplaceLineEndings("\n").Trim(),
            "docs/openapi.json is not what the gateway publishes. To refresh it: dotnet run --project src/Gateway -- "
            + "contract > docs/openapi.json");
    }

    [Fact]
    public async Task The_contract_command_prints_exactly_the_published_contract()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var published = await client.GetStringAsync(
            new Uri("openapi/3.0/v0.yaml", UriKind.Relative), World.Cancellation);

        var (exit, output) = await ChildProcess.RunAsync(
            "dotnet", [GatewayProcess.Executable, "contract", "--path", "/openapi/3.0/v0.yaml"], []);

        Assert.Equal(0, exit);
        Assert.Equal(published.ReplaceLineEndings("\n").Trim(), output.ReplaceLineEndings("\n").Trim());
    }

    [Fact]
    public async Task A_private_contract_requires_a_credential()
    {
        await using var world = await World.StartAsync(("Contract:Public", "false"));
        using var stranger = world.Gateway.Client();
        using var caller = world.Gateway.Client(("X-Api-Key", World.SurveyKey));
        using var refused = await stranger.GetAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation);
        using var served = await caller.GetAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation);

        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.OK], [refused.StatusCode, served.StatusCode]);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
        Assert.Equal("max-age=300, private", served.Headers.CacheControl!.ToString());
    }

    [Theory]
    [InlineData("", "", "/")]
    [InlineData("/gw", "", "/gw")]
    [InlineData("/gw", "https://jobs.example.com/api", "https://jobs.example.com/api")]
    public async Task The_contract_names_the_server_URL_and_the_contact(
        string pathBase, string serverUrl, string expected)
    {
        await using var world = await World.StartAsync(("PathBase", pathBase), ("Contract:ServerUrl", serverUrl),
            ("Contract:ContactName", "Jobs team"), ("Contract:ContactUrl", "https://jobs.example.com/help"));
        using var client = world.Gateway.Client();
        var document =
            JsonElement.Parse(
                await client.GetStringAsync(
                    new Uri($"{pathBase.TrimStart('/')}/openapi/v0.json".TrimStart('/'), UriKind.Relative),
                    World.Cancellation));

        Assert.Equal(
            expected, Assert.Single(document.GetProperty("servers").EnumerateArray()).GetProperty("url").GetString());
        Assert.Equal("Jobs team", document.GetProperty("info").GetProperty("contact").GetProperty("name").GetString());
        Assert.Equal("https://jobs.example.com/help",
            document.GetProperty("info").GetProperty("contact").GetProperty("url").GetString());
    }

    [Fact]
    public async Task Every_property_header_parameter_and_response_has_a_description()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var document = JsonElement.Parse(
            await client.GetStringAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation));
        var operations = document.GetProperty("paths").EnumerateObject()
            .Select(path => path.Value.GetProperty("get")).ToList();
        var things = document.GetProperty("components").GetProperty("schemas").EnumerateObject()
            .SelectMany(schema => schema.Value.GetProperty("properties").EnumerateObject())
            .Concat(document.GetProperty("components").GetProperty("securitySchemes").EnumerateObject())
            .Concat(operations.SelectMany(one => one.GetProperty("responses").EnumerateObject()))
            .Concat(operations.SelectMany(one => one.GetProperty("responses").EnumerateObject())
            .SelectMany(response => response.Value.GetProperty("headers").EnumerateObject()))
            .Select(thing => (thing.Name, thing.Value))
            .Concat(operations.SelectMany(one => one.GetProperty("parameters").EnumerateArray())
            .Select(parameter => (Name: parameter.GetProperty("name").GetString()!, Value: parameter)))
            .ToList();

        Assert.True(things.Count > 100);
        Assert.Equal([], things.Where(thing => !thing.Value.TryGetProperty("description", out var text)
            || text.GetString()!.Length < 8).Select(thing => thing.Name));
    }

    [Fact]
    public async Task Requests_have_no_body_and_their_identifiers_and_validators_have_examples()
    {
        await using var world = await World.StartAsync();
        var operations = Operations(await ReadAsync(world));

        Assert.All(operations, operation => Assert.Null(operation["requestBody"]));
        var parameters = operations.SelectMany(operation => operation["parameters"]!.AsArray()).ToList();
        Assert.Equal(17, parameters.Count);
        Assert.Equal([], parameters.Where(parameter => parameter!["example"] is null).Select(one => $"{one!["name"]}"));
    }

    [Fact]
    public async Task Numbers_that_the_gateway_computes_have_a_format_and_a_minimum()
    {
        await using var world = await World.StartAsync();
        var document = await ReadAsync(world);
        var headers = Operations(document)
            .SelectMany(operation => operation["responses"]!.AsObject())
            .SelectMany(response => response.Value!["headers"]!.AsObject())
            .Select(header => (header.Key, Schema: header.Value!["schema"]!));
        var schemas = document["components"]!["schemas"]!;
        var properties = new[]
        {
            ("ProblemBody", "status"), ("JobSummary", "progress"), ("TaskSummary", "progress"),
            ("JobBatchItem", "status"), ("JobBatchItem", "age"), ("JobBatchItem", "fresh_for"),
            ("JobBatchItem", "retry_after"),
        }.Select(at => (Key: $"{at}", Schema: schemas[at.Item1]!["properties"]![at.Item2]!));

        var numbers = headers.Where(header => $"{header.Schema["type"]}" == "integer").Concat(properties).ToList();

        Assert.Equal(["Age", "Retry-After"], numbers.Select(one => one.Key).Where(name => name[0] != '(').Distinct());
        Assert.Equal([], numbers.Where(one => one.Schema["format"] is null || one.Schema["minimum"] is null)
            .Select(one => one.Key));
    }

    [Theory]
    [InlineData(null, "`completed`, `success`, `succeeded`, `fulfilled`")]
    [InlineData("done", "The job succeeded:\n`done`.")]
    public async Task The_contract_says_with_which_words_a_job_is_final(string? configured, string expected)
    {
        await using var world = configured is null
            ? await World.StartAsync() : await World.StartAsync(("Jobs:FinishedStatuses:0", configured));

        var operation = Operations(await ReadAsync(world)).Single(one => $"{one["operationId"]}" == "getJobById");

        Assert.Contains(expected, $"{operation["description"]}".ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("`cancelled`", $"{operation["description"]}", StringComparison.Ordinal);
    }

    private static async Task<JsonNode> ReadAsync(World world)
    {
        using var client = world.Gateway.Client();
        return JsonNode.Parse(
            await client.GetStringAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation))!;
    }

    private static List<JsonNode> Operations(JsonNode document) =>
        [.. document["paths"]!.AsObject().Select(path => path.Value!["get"]!)];

    [Fact]
    public async Task Every_problem_of_an_operation_has_an_example_with_its_status()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var document = JsonElement.Parse(
            await client.GetStringAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation));
        var responses = document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.GetProperty("get").GetProperty("responses").EnumerateObject());
        var shown = new List<string>();
        foreach (var response in responses
            .Where(response => response.Name.CompareTo("400", StringComparison.Ordinal) >= 0))
        {
            foreach (var example in response.Value.GetProperty("content").GetProperty("application/problem+json")
                .GetProperty("examples").EnumerateObject())
            {
                var value = example.Value.GetProperty("value");
                Assert.Equal(response.Name, $"{value.GetProperty("status")}");
                Assert.Equal(GatewayProblems.Catalog.All.Single(type => type.Slug == example.Name).Uri,
                    value.GetProperty("type").GetString());
                shown.Add(example.Name);
            }
        }
        Assert.Equal(
            ["account-not-configured", "bad-request", "content-too-large", "invalid-logout-token", "invalid-return-url",
            "login-cancelled", "login-expired", "login-failed", "method-not-allowed", "not-found", "not-implemented",
            "operator-required", "purge-incomplete", "range-not-satisfiable", "route-forbidden",
            "too-many-logins", "upstream-not-found"],
            GatewayProblems.Catalog.All.Select(type => type.Slug).Except(shown).Order());
    }
}
