using System.Net;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Gateway.Contract;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Http;
using Simulator;

namespace Gateway.Tests.Contract;

/// <summary>Tests with Prism between client and gateway that every response conforms to the contract.</summary>
public sealed class ValidatingProxyTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-contract-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/3.0/v0.json")]
    public async Task Every_response_conforms_to_the_contract(string contract)
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync(("Teams:survey:Quota", "few"), ("Quotas:few:Requests", "1"),
            ("Quotas:few:Window", "01:00:00"), ("Quotas:few:Burst", "1"));
        await using var prism = await StartAsync(world, contract);
        using var client = new HttpClient { BaseAddress = prism.Address };
        Script(world);

        var etag = "";
        foreach (var (job, key, expected) in Scenarios)
        {
            using var answer = await AskAsync(client, job, key, etag: "");
            Assert.True((int)answer.StatusCode == expected,
                $"{job}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(World.Cancellation)}");
            Assert.False(answer.Headers.Contains("sl-violations"), $"{job}: {string.Join('\n', answer.Headers)}");
            if (etag.Length == 0) etag = answer.Headers.ETag!.ToString();
        }
        using var unchanged = await AskAsync(client, "survey-1/finished-1", World.MappingKey, etag);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        Assert.False(unchanged.Headers.Contains("sl-violations"));
    }

    [Theory]
    [InlineData("openapi/v0.json")]
    [InlineData("openapi/3.0/v0.json")]
    public async Task Every_answer_about_several_jobs_conforms_to_the_contract_whole_or_as_summaries(string contract)
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync();
        await using var prism = await StartAsync(world, contract);
        using var client = new HttpClient { BaseAddress = prism.Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);

        foreach (var view in (string[])["", "&view=summary"])
        {
            using var answer = await client.GetAsync(new Uri("v0/jobs?job=survey-1/finished-1&job=survey-1/run-300"
                + $"&job=survey-1/missing&job=survey-1/fail-0{view}", UriKind.Relative), World.Cancellation);
            Assert.True(answer.StatusCode == HttpStatusCode.OK,
                $"{view}: {await answer.Content.ReadAsStringAsync(World.Cancellation)}");
            Assert.False(answer.Headers.Contains("sl-violations"), $"{view}: {string.Join('\n', answer.Headers)}");
        }
    }

    [Fact]
    public async Task Every_response_of_a_republished_route_conforms_to_the_contract()
    {
        await NpmTools.NeedAsync();
        using var upstream = new RepublishedWorld();
        await using var world = await upstream.StartAsync("3.1.0");
        await using var prism = await StartAsync(world, "openapi/v0.json");
        using var client = new HttpClient { BaseAddress = prism.Address };
        world.Upstream.Others["/v0/workflows/broken"] = http => http.Response.WriteAsync("""{"id":7}""");
        world.Upstream.Others["/v0/workflows/down/jobs"] = http =>
        {
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        };

        foreach (var (path, key, expected) in ((string, string?, int)[])
        [
            ("v0/workflows/w-1", World.MappingKey, 200), ("v0/scenes?page=2", World.MappingKey, 200),
            ("v0/workflows/gone/jobs", World.MappingKey, 404),
            ("v0/scenes", World.SurveyKey, 403), ("v0/scenes", null, 401), ("v0/scenes", "two, keys", 400),
            ("v0/workflows/down/jobs", World.MappingKey, 503),
            // Prism detects this response, which violates the contract.
            ("v0/workflows/broken", World.MappingKey, 500),
        ])
        {
            using var question = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
            if (key is not null) question.Headers.Add("X-Api-Key", key);
            using var answer = await client.SendAsync(question, World.Cancellation);
            Assert.True((int)answer.StatusCode == expected,
                $"{path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(World.Cancellation)}");
            Assert.Equal(path == "v0/workflows/broken", answer.Headers.Contains("sl-violations"));
        }
    }

    [Fact]
    public async Task The_proxy_detects_a_response_that_violates_the_contract()
    {
        await NpmTools.NeedAsync();
        await using var world = await World.StartAsync();
        await using var prism = await StartAsync(world, "openapi/v0.json");
        using var client = new HttpClient { BaseAddress = prism.Address };
        world.Upstream.Faults.Add(
            new Fault
            {
                Kind = FaultKind.Status,
                Status = 200,
                Body = """{"id":"odd","workflow_id":"survey-1","status":"running","cost":"much"}"""
            });

        using var answer = await AskAsync(client, "survey-1/odd", World.MappingKey, etag: "");

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Contains("VIOLATIONS", await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    // The job, the key, and the expected status.
    private static IEnumerable<(string Job, string? Key, int Status)> Scenarios =>
    [
        ("survey-1/finished-1", World.MappingKey, 200), ("survey-1/finished-1", World.MappingKey, 200),
        ("survey-1/run-300", World.MappingKey, 200), ("survey-1/fail-0", World.MappingKey, 200),
        ("survey-1/cancel-0", World.MappingKey, 200),
        ("survey-1/stuck-1", World.MappingKey, 200),
        .. (
        (string[])["raw-ints", "raw-object", "raw-objects", "raw-base64", "raw-null", "time-z", "time-offset",
        "time-fraction", "time-space",
            "progress-percent", "progress-decimal", "nameless", "unfinished", "signed-60"])
                .Select(modifier => ($"survey-1/finished-2.{modifier}", (string?)World.MappingKey, 200)),
        ("survey-1/nulls", World.MappingKey, 200), ("survey-1/missing", World.MappingKey, 404),
        ("survey-1/bad", World.MappingKey, 400), ("survey-1/forbidden", World.MappingKey, 403),
        ("survey-1/a%20b", World.MappingKey, 400), ("survey-1/finished-1", null, 401),
        ("survey-1/finished-1", "wrong-key", 401),
        ("survey-1/finished-1", "two, keys", 400), ("other/finished-1", World.SurveyKey, 403),
        ("survey-1/finished-1", World.SurveyKey, 200), ("survey-1/finished-1", World.SurveyKey, 429),
        ("survey-1/html", World.MappingKey, 502), ("survey-1/busy", World.MappingKey, 503),
        ("survey-1/down", World.MappingKey, 503),
    ];

    private static void Script(World world)
    {
        world.Upstream.Faults.Add(new Fault { Job = "html", Kind = FaultKind.Html });
        world.Upstream.Faults.Add(new Fault { Job = "nulls", Kind = FaultKind.Status, Status = 200, Body = Nulls });
        world.Upstream.Faults.Add(new Fault { Job = "busy", Kind = FaultKind.Status, Status = 429, RetryAfter = "60" });
    }

    // A job in which every nullable field is null.
    private static string Nulls
    {
        get
        {
            static Dictionary<string, object?> All(Type type) =>
                type.GetProperties().ToDictionary(
                    property => property.GetCustomAttribute<JsonPropertyNameAttribute>()!.Name, _ => (object?)null);
            var (job, task) = (All(typeof(Job)), All(typeof(JobTask)));
            (job["id"], job["workflow_id"], task["block_info"]) = ("nulls", "survey-1", All(typeof(BlockInfo)));
            (job["tasks"], job["val_errors"]) = (
                new[] { All(typeof(JobTask)), task }, new[] { All(typeof(ValidationError)) });
            return JsonSerializer.Serialize(job);
        }
    }

    private static async Task<HttpResponseMessage> AskAsync(HttpClient client, string job, string? key, string etag)
    {
        var ids = job.Split('/');
        using var question = new HttpRequestMessage(
            HttpMethod.Get, new Uri($"v0/workflows/{ids[0]}/jobs/{ids[1]}", UriKind.Relative));
        if (key is not null) question.Headers.Add("X-Api-Key", key);
        if (etag.Length > 0) question.Headers.TryAddWithoutValidation("If-None-Match", etag);
        return await client.SendAsync(question, World.Cancellation);
    }

    private async Task<Prism> StartAsync(World world, string contract)
    {
        using var client = world.Gateway.Client();
        var file = Path.Combine(_folder.FullName, "contract.json");
        await File.WriteAllBytesAsync(file,
            await client.GetByteArrayAsync(new Uri(contract, UriKind.Relative), World.Cancellation),
            World.Cancellation);
        var port = ChildProcess.FreePort();
        // The gateway validates requests itself.
        var process = new ChildProcess(NpmTools.PathOf("prism"),
            ["proxy", file, world.Gateway.Address.ToString().TrimEnd('/'), "--errors", "--validate-request", "false",
            "--host", "127.0.0.1", "--port", $"{port}"]);
        await process.UntilAsync(
            () => Task.FromResult(process.Output.Contains("Prism is listening", StringComparison.Ordinal)));
        return new Prism(process, new Uri($"http://127.0.0.1:{port}/"));
    }

    private sealed record Prism(ChildProcess Process, Uri Address) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Process.DisposeAsync();
    }
}
