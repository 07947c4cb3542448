using System.Net;
using System.Text;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Builder;

namespace Gateway.Tests.Caching;

/// <summary>Many large jobs at once, in a process with the memory of a container of 1 GiB.</summary>
[Collection(nameof(Alone))]
public sealed class LargeJobsTests
{
    private const int Jobs = 40;

    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData("identity")]
    [InlineData("br")]
    public async Task Forty_large_jobs_at_once_are_answered_or_refused_with_retry_after(string coding)
    {
        var port = ChildProcess.FreePort();
        await using var upstream = await StartUpstreamAsync(port);
        await using var world = await WorldAsync(port);
        await using var gateway = await GatewayProcess.StartAsync(Small(world));
        using var client = Client(gateway, coding);

        await AssertAllAreAnsweredAsync(gateway, client);
    }

    [Fact]
    public async Task Forty_large_jobs_out_of_Redis_are_answered_or_refused_with_retry_after()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        var port = ChildProcess.FreePort();
        await using var upstream = await StartUpstreamAsync(port);
        await using var world = await WorldAsync(
            port, ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:05"));
        await using (var other = await GatewayProcess.StartAsync(world.Environment()))
        {
            using var filling = Client(other, "identity");
            for (var job = 0; job < Jobs; job++)
            {
                Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(filling, PathOf(job).ToString())
                    .WaitAsync(Bound, World.Cancellation));
            }
        }
        await using var gateway = await GatewayProcess.StartAsync(Small(world));
        using var client = Client(gateway, "identity");
        await AssertAllAreAnsweredAsync(gateway, client);
    }

    [Fact]
    public async Task Callers_who_do_not_read_large_answers_do_not_block_other_callers()
    {
        var port = ChildProcess.FreePort();
        await using var upstream = await StartUpstreamAsync(port);
        await using var world = await WorldAsync(port);
        await using var gateway = await GatewayProcess.StartAsync(Small(world));
        using var client = Client(gateway, "identity");
        var held = new List<HttpResponseMessage>();
        try
        {
            for (var job = 0; job < Jobs; job++)
            {
                using var bound = new CancellationTokenSource(Bound);
                var answer = await client.GetAsync(PathOf(job), HttpCompletionOption.ResponseHeadersRead, bound.Token);
                held.Add(answer);
                Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable });
            }
            Assert.Contains(held, answer => answer.StatusCode == HttpStatusCode.OK);
            Assert.Contains(held, answer => answer.StatusCode == HttpStatusCode.ServiceUnavailable);

            using var others = gateway.Client(World.SurveyKey);
            for (var job = 0; job < 50; job++)
            {
                var status = await GatewayProcess.StatusOf(others, $"v0/workflows/survey-1/jobs/{job}-small")
                    .WaitAsync(Bound, World.Cancellation);
                Assert.Equal(HttpStatusCode.OK, status);
            }
        }
        finally
        {
            foreach (var answer in held) answer.Dispose();
        }
        // Closed connections free their memory.
        await Wait.UntilAsync(Bound, async () =>
        {
            using var answer = await client.GetAsync(
                PathOf(Jobs), HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
            return answer.StatusCode == HttpStatusCode.OK;
        }, "large jobs are answered again");
        Assert.DoesNotContain("OutOfMemory", gateway.Output, StringComparison.Ordinal);
    }

    private static async Task AssertAllAreAnsweredAsync(GatewayProcess gateway, HttpClient client)
    {
        var refused = await Task.WhenAll(Enumerable.Range(0, Jobs).Select(async job =>
        {
            var times = 0;
            using var bound = new CancellationTokenSource(Bound);
            while (true)
            {
                using var answer = await client.GetAsync(
                    PathOf(job), HttpCompletionOption.ResponseHeadersRead, bound.Token);
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    try
                    {
                        await (await answer.Content.ReadAsStreamAsync(bound.Token))
                            .CopyToAsync(Stream.Null, bound.Token);
                    }
                    catch (IOException e)
                    {
                        Assert.Fail($"An answer was broken off: {e.Message}\n{gateway.Output}");
                    }
                    return times;
                }
                Assert.Equal((HttpStatusCode.ServiceUnavailable, true),
                    (answer.StatusCode, answer.Headers.RetryAfter is not null));
                times++;
                await Task.Delay(answer.Headers.RetryAfter!.Delta!.Value, bound.Token);
            }
        }));

        Assert.All(refused, times => Assert.InRange(times, 0, 60));
        Assert.DoesNotContain("OutOfMemory", gateway.Output, StringComparison.Ordinal);
    }

    private static Task<World> WorldAsync(int port, params (string, string)[] settings) =>
        World.WithoutGatewayAsync(clock: null,
            [.. Shipped.Levels, .. settings, ("Upstream:BaseAddress", $"http://127.0.0.1:{port}"),
                ("Jobs:VerifyIds", "false"),
                ("Upstream:Timeout", "00:01:00")]);

    /// <summary>An upstream whose jobs have 16 MB, or a few bytes if the id ends in small.</summary>
    private static async Task<WebApplication> StartUpstreamAsync(int port)
    {
        const string Start = "{\"status\":\"completed\",\"finished_at\":\"2020-01-01T00:00:00Z\",\"spec\":\"",
            End = "\"}";
        var random = new byte[12_000_000];
        new Random(1).NextBytes(random);
        var large = Encoding.ASCII.GetBytes(Start + Convert.ToBase64String(random) + End);
        var small = Encoding.ASCII.GetBytes(Start + End);
        var app = Loopback.Server(port).Build();
        app.Run(async http =>
        {
            var body = http.Request.Path.Value!.EndsWith("small", StringComparison.Ordinal) ? small : large;
            http.Response.ContentLength = body.Length;
            await http.Response.Body.WriteAsync(body, http.RequestAborted);
        });
        await app.StartAsync(World.Cancellation);
        return app;
    }

    private static Dictionary<string, string?> Small(World world)
    {
        var environment = world.Environment();
        // Three quarters of 1 GiB, which is .NET's default heap limit in a container of 1 GiB.
        environment["DOTNET_GCHeapHardLimit"] = "0x30000000";
        return environment;
    }

    private static HttpClient Client(GatewayProcess gateway, string coding)
    {
        var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 })
        {
            BaseAddress = gateway.Address,
            Timeout = Bound,
        };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        client.DefaultRequestHeaders.Add("Accept-Encoding", coding);
        return client;
    }

    private static Uri PathOf(int job) => new($"v0/workflows/survey-1/jobs/{job}-large", UriKind.Relative);
}
