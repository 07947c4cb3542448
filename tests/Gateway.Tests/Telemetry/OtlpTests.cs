using System.Net;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.Telemetry;

/// <summary>A real node sends its telemetry to a real receiver, as the standard environment variables say.</summary>
public sealed class OtlpTests
{
    private const string CallersTrace = "0af7651916cd43dd8448eb211c80319c";

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Traces_metrics_and_logs_name_the_node_and_its_version()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        await using var first = await StartAsync(world, receiver.Variables);
        await using var second = await StartAsync(world, receiver.Variables);
        foreach (var node in (GatewayProcess[])[first, second]) await GetAsync(node, "unknown-key", "finished-1");
        foreach (var node in (GatewayProcess[])[first, second]) await GetAsync(node, World.MappingKey, "finished-1");

        string[] paths = ["/v1/logs", "/v1/metrics", "/v1/traces"];
        await Wait.UntilAsync(Bound, () => Array.TrueForAll(paths, path => Instances(path).Length == 2)
            && receiver.Logs.Any(line => line.StartsWith("401 for job survey-1/finished-1", StringComparison.Ordinal))
            && receiver.Metrics.Contains("gateway.requests"), "both nodes have sent all signals");

        Assert.Equal(paths, receiver.Paths);
        Assert.All(paths, path => Assert.Equal(Instances(paths[0]), Instances(path)));
        Assert.All(receiver.Resources(paths[1]), resource =>
        {
            Assert.Equal("gateway", resource["service.name"]);
            Assert.Matches(@"^\d+\.\d+\.\d+", resource["service.version"]);
        });

        string[] Instances(string path) => [.. receiver.Resources(path)
            .Select(resource => resource["service.instance.id"]).Distinct().Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task Resource_attributes_of_the_environment_take_precedence()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null);
        await using var node = await StartAsync(world, new(receiver.Variables)
        {
            ["OTEL_SERVICE_NAME"] = "gateway-of-a-test",
            ["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=pod-7,deployment.environment.name=test",
        });

        await Wait.UntilAsync(Bound, () => receiver.Resources("/v1/metrics").Any(), "the node has sent metrics");

        var resource = receiver.Resources("/v1/metrics").First();
        Assert.Equal(("gateway-of-a-test", "pod-7", "test"), (resource["service.name"],
            resource["service.instance.id"], resource["deployment.environment.name"]));
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "own/traces", null, null, "/own/traces")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "own/metrics", null, null, "/own/metrics")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "own/logs", null, null, "/own/logs")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "", "OTEL_TRACES_EXPORTER", "none", "/v1/logs /v1/metrics")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "", "OTEL_METRICS_EXPORTER", "none", "/v1/logs /v1/traces")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "", "OTEL_LOGS_EXPORTER", "none", "/v1/metrics /v1/traces")]
    public async Task Each_signal_has_its_own_endpoint_and_can_be_turned_off(
        string endpoint, string path, string? variable, string? value, string expected)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        var variables = OtlpReceiver.Delays;
        variables[endpoint] = $"{receiver.Address}{path}";
        if (variable is not null) variables[variable] = value;
        await using (var node = await StartAsync(world, variables))
        {
            await GetAsync(node, "unknown-key", "finished-1");
            // A node that stops sends what it has of each signal.
            node.Signal("TERM");
            await node.ExitAsync();
        }

        Assert.Equal(expected, string.Join(' ', receiver.Paths));
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "logs metrics trace")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "logs")]
    public async Task Grpc_is_the_protocol_if_the_environment_names_none(string endpoint, string expected)
    {
        await using var receiver = await OtlpReceiver.StartAsync(isGrpc: true);
        await using var world = await World.WithoutGatewayAsync(clock: null, Shipped.Levels);
        var variables = OtlpReceiver.Delays;
        variables.Remove("OTEL_EXPORTER_OTLP_PROTOCOL");
        variables[endpoint] = $"{receiver.Address}";
        await using var node = await StartAsync(world, variables);
        await GetAsync(node, "unknown-key", "finished-1");
        node.Signal("TERM");
        await node.ExitAsync();

        // The path is that of the service, such as opentelemetry.proto.collector.logs.v1.LogsService.
        Assert.Equal(expected, string.Join(' ', receiver.Paths.Select(path => path.Split('.')[3])));
    }

    [Fact]
    public async Task A_wrong_variable_stops_the_start_and_is_named()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null);
        var environment = world.Environment();
        environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "collector:4317";
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [GatewayProcess.Executable], environment);

        Assert.Equal(1, exit);
        Assert.Contains("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: must be an absolute http or https address", output,
            StringComparison.Ordinal);
    }

    /// <summary>
    /// Two callers wait for one fill whose first try fails. The fill is a trace of its own with a child for each try,
    /// both requests link to it, and a hit links to nothing. Probes leave no span.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fill_is_a_trace_with_its_tries_and_each_waiting_request_links_to_it(bool propagates)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var world = await World.WithoutGatewayAsync(
            clock: null, ("Upstream:PropagateTraceContext", propagates ? "true" : "false"));
        var port = ChildProcess.FreePort();
        await using var node = await StartAsync(world, new(receiver.Variables) { ["Management__Port"] = $"{port}" });
        await GetAsync(node, World.MappingKey, "finished-1");
        world.Upstream.Faults.Add(new Fault
        {
            Kind = FaultKind.Status,
            Job = "finished-2",
            Times = 1,
            Delay = TimeSpan.FromSeconds(1),
        });
        var waiting = GetAsync(node, World.MappingKey, "finished-2", CallersTrace);
        await Wait.UntilAsync(Bound, () => world.Upstream.Ledger.CallsFor("finished-2") > 0, "the fill has begun");
        await Task.WhenAll(waiting, GetAsync(node, World.SurveyKey, "finished-2"));
        await GetAsync(node, World.MappingKey, "finished-2");
        using var management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        foreach (var probe in (string[])["health/live", "health/ready", "metrics"])
        {
            Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(management, probe));
        }
        // The span of a last request comes after all others.
        await GetAsync(node, World.MappingKey, "missing-1");
        await Wait.UntilAsync(
            Bound, () => receiver.Spans.Any(span => IsRequestFor(span, "missing-1")), "the spans have arrived");

        var spans = receiver.Spans;
        var fill = Assert.Single(
            spans, span => span.Name == "fill" && span.Attributes["gateway.job.id"] == "finished-2");
        var requests = spans.Where(span => IsRequestFor(span, "finished-2")).ToArray();
        Assert.Equal(["", fill.Id, fill.Id], requests.Select(span => string.Concat(span.Links)).Order());
        var tries = spans.Where(span => span.Parent == fill.Id).ToArray();
        Assert.Equal([3, 3], tries.Select(span => span.Kind));
        Assert.All(tries, span => Assert.Equal(fill.Trace, span.Trace));
        var upstream = world.Upstream.Ledger.Calls.Where(call => call.JobId == "finished-2")
            .Select(call => call.RequestHeaders["traceparent"].ToString()).Order();
        Assert.Equal(tries.Select(span => $"00-{span.Trace}-{span.Id}-01").Order(), upstream);
        Assert.Equal(propagates, fill.Trace == CallersTrace);
        Assert.Equal(propagates, fill.Parent.Length > 0);
        Assert.Single(requests, span => span.Trace == CallersTrace);
        Assert.All(spans.Where(span => span.Kind == 2),
            span => Assert.StartsWith("/v0/", span.Attributes["url.path"], StringComparison.Ordinal));
        // No span is of the export itself.
        Assert.All(spans.Where(span => span.Kind == 3), span => Assert.StartsWith(
            $"{world.Upstream.Address}", span.Attributes["url.full"], StringComparison.Ordinal));

        static bool IsRequestFor(OtlpReceiver.Span span, string job) =>
            span.Kind == 2 && span.Attributes["url.path"].EndsWith($"/{job}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_an_exporter_the_trace_of_a_request_goes_upstream_only_if_configured()
    {
        foreach (var propagates in (bool[])[false, true])
        {
            await using var world = await World.StartAsync(("Upstream:PropagateTraceContext", $"{propagates}"));
            using var answer = await world.GetAsync(
                "finished-1", headers: ("traceparent", $"00-{CallersTrace}-b7ad6b7169203331-01"));
            var headers = Assert.Single(world.Upstream.Ledger.Calls).RequestHeaders;

            Assert.Equal(propagates, headers.TryGetValue("traceparent", out var sent)
                && $"{sent}".Contains(CallersTrace, StringComparison.Ordinal));
        }
    }

    private static Task<GatewayProcess> StartAsync(World world, Dictionary<string, string?> variables)
    {
        var environment = world.Environment();
        foreach (var (name, value) in variables) environment[name] = value;
        return GatewayProcess.StartAsync(environment);
    }

    private static async Task GetAsync(GatewayProcess node, string key, string job, string? trace = null)
    {
        using var client = node.Client(key);
        if (trace is not null) client.DefaultRequestHeaders.Add("traceparent", $"00-{trace}-b7ad6b7169203331-01");
        using var answer = await client.GetAsync(
            new Uri($"v0/workflows/survey-1/jobs/{job}", UriKind.Relative), World.Cancellation);
    }
}
