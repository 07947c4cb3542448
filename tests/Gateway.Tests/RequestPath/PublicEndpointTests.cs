using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

public sealed class PublicEndpointTests
{
    [Fact]
    public async Task The_contract_names_the_operation_every_status_and_all_security_schemes()
    {
        await using var world = await World.StartAsync();
        var document = await JsonAsync(world, "openapi/v0.json");

        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var operation = document.GetProperty("paths").GetProperty("/v0/workflows/{workflow_id}/jobs/{job_id}")
            .GetProperty("get");
        Assert.Equal("getJobById", operation.GetProperty("operationId").GetString());
        Assert.Equal(["200", "304", "400", "401", "403", "404", "410", "429", "451", "500", "502", "503", "504"],
            operation.GetProperty("responses").EnumerateObject().Select(response => response.Name)
                .Order(StringComparer.Ordinal));
        Assert.Equal(["apiKey", "authorization", "bearer", "session"],
            document.GetProperty("components").GetProperty("securitySchemes").EnumerateObject()
                .Select(scheme => scheme.Name).Order(StringComparer.Ordinal));
        Assert.DoesNotContain("pixxel", document.GetRawText(), StringComparison.OrdinalIgnoreCase);
        // Problems that only operators get are not in the contract.
        Assert.DoesNotMatch("operator-required|purge-incomplete|login-failed|logout-token", document.GetRawText());
        var fields = document.GetProperty("components").GetProperty("schemas").GetProperty("Job")
            .GetProperty("properties");
        Assert.Equal(16, fields.EnumerateObject().Count());
        // Additional fields of the upstream are passed on.
        Assert.DoesNotContain("\"additionalProperties\": false", document.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Operation_ids_are_unique()
    {
        await using var world = await World.StartAsync();
        var document = await JsonAsync(world, "openapi/v0.json");
        var ids = document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject())
            .Select(operation => operation.Value.GetProperty("operationId").GetString()).ToList();
        Assert.Equal(ids.Distinct(), ids);
    }

    [Fact]
    public async Task The_docs_page_loads_only_from_its_own_host()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        var page = await client.GetStringAsync(new Uri("docs/index.html", UriKind.Relative), World.Cancellation);
        Assert.Contains("swagger-ui", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("(src|href)=\"(https?:)?//", page);
    }

    [Theory]
    [InlineData("health/live")]
    [InlineData("health/ready")]
    public async Task Health_needs_no_key_and_makes_no_upstream_call(string path)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
        Assert.Equal("Healthy", await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_node_that_cannot_reach_Redis_is_live_and_its_readiness_is_degraded()
    {
        await using var world = await World.StartAsync(
            ("ConnectionStrings:Redis", $"127.0.0.1:{ChildProcess.FreePort()},connectTimeout=200"));
        using var client = world.Gateway.Client();
        Assert.Equal(
            "Healthy", await client.GetStringAsync(new Uri("health/live", UriKind.Relative), World.Cancellation));
        Assert.Equal(
            "Degraded\nRedis is away; this node uses its memory only",
            await client.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation));
        using var job = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, job.StatusCode);
    }

    [Fact]
    public async Task Every_problem_type_of_the_gateway_has_a_page()
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client();
        foreach (var type in GatewayProblems.Catalog.All)
        {
            var page = await client.GetStringAsync(
                new Uri($"problems/{type.Slug}", UriKind.Relative), World.Cancellation);
            Assert.Contains(type.Advice, page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Metrics_are_only_on_the_management_port()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null);
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        using var client = gateway.Client();
        using var job = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        using var management = new HttpClient(new Canary.Handler());
        management.BaseAddress = new Uri($"http://127.0.0.1:{port}/");
        foreach (var key in (string[])["unknown", "gwk_damaged", "two,keys"])
        {
            using var refused = gateway.Client(key);
            await GatewayProcess.StatusOf(refused, "v0/workflows/survey-1/jobs/finished-1");
        }

        var metrics = await management.GetStringAsync(new Uri("metrics", UriKind.Relative), World.Cancellation);
        using var spoofed = new HttpRequestMessage(HttpMethod.Get, "metrics");
        spoofed.Headers.Host = $"127.0.0.1:{port}";
        using var elsewhere = await client.SendAsync(spoofed, World.Cancellation);
        using var jobThere = await management.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);

        Assert.Contains("gateway_requests_total", metrics, StringComparison.Ordinal);
        Assert.Contains("gateway_upstream_calls_total", metrics, StringComparison.Ordinal);
        Assert.Contains("gateway_fill_duration_seconds_bucket", metrics, StringComparison.Ordinal);
        Assert.Contains("outcome=\"miss\"", metrics, StringComparison.Ordinal);
        foreach (var reason in (string[])["Unknown", "Damaged", "Ambiguous"])
        {
            Assert.Matches($"gateway_refusals_total\\{{.*error_type=\"{reason}\"\\}} 1", metrics);
        }
        Assert.Equal(HttpStatusCode.NotFound, elsewhere.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, jobThere.StatusCode);
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(management, "health/ready"));
    }

    private static async Task<JsonElement> JsonAsync(World world, string path)
    {
        using var client = world.Gateway.Client();
        return JsonElement.Parse(await client.GetStringAsync(new Uri(path, UriKind.Relative), World.Cancellation));
    }
}
