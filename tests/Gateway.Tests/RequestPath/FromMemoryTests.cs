using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// What is in memory is answered without routing where that is simple, and in full where it is not. Nobody is to see which.
/// A path in upper case is routed, and means the same.
/// </summary>
public sealed class FromMemoryTests
{
    [Theory]
    [InlineData("GET", "finished-1")]
    [InlineData("HEAD", "finished-1")]
    [InlineData("GET", "fail")]
    [InlineData("GET", "run-1000")]
    [InlineData("GET", "finished-1", "Accept-Encoding", "br")]
    [InlineData("GET", "finished-1", "Accept-Encoding", "gzip;q=0.5, br;q=0.1")]
    [InlineData("GET", "finished-1", "If-None-Match", "*")]
    [InlineData("GET", "finished-1", "If-None-Match", "\"none of these\"")]
    [InlineData("GET", "finished-1", "Authorization", "Bearer " + World.SurveyKey)]
    public async Task The_short_way_answers_as_the_long_way_does(string method, string job, string? header = null, string? value = null)
    {
        await using var world = await World.StopClockAsync(("Jobs:MinPollInterval", "00:00:05"), ("Jobs:MaxPollInterval", "00:00:05"));
        (string, string)[] headers = header is null ? [] : [(header, value!)];
        using var first = await SendAsync(world, method, $"v0/workflows/survey-1/jobs/{job}", headers);
        world.Clock!.Advance(TimeSpan.FromSeconds(1.5));

        var shortly = await ToldAsync(world, method, $"v0/workflows/survey-1/jobs/{job}", headers);
        var inFull = await ToldAsync(world, method, $"V0/Workflows/survey-1/Jobs/{job}", headers);

        Assert.Contains("Gateway; hit; ttl=", shortly, StringComparison.Ordinal);
        Assert.Equal(inFull, shortly);
        // Both are logged alike.
        var line = $"{(header == "If-None-Match" && value == "*" ? 304 : 200)} for job survey-1/{job}, team {(header == "Authorization" ? "survey" : "mapping")}, caller";
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => world.Gateway.Log.All.Count(one => one.Contains(line, StringComparison.Ordinal)) == 3, "all are logged");
    }

    [Theory]
    [InlineData("v0/workflows/other/jobs/finished-1", HttpStatusCode.Forbidden)]
    [InlineData("v0/workflows/survey-1/jobs/finished-1/", HttpStatusCode.OK)]
    [InlineData("v0/workflows/survey-1/jobs/finished%2D1", HttpStatusCode.OK)]
    [InlineData("v0/workflows/survey-1/jobs/finished-1/x", HttpStatusCode.NotFound)]
    [InlineData("v0/workflows/survey-1/jobs/", HttpStatusCode.BadRequest)]
    [InlineData("v0/workflows/survey-1/jobs/a%20b", HttpStatusCode.BadRequest)]
    public async Task Whatever_is_not_so_simple_is_answered_in_full(string path, HttpStatusCode status)
    {
        await using var world = await World.StartAsync();
        using var kept = await world.GetAsync("finished-1");
        using var answer = await SendAsync(world, "GET", path, ("X-Api-Key", World.SurveyKey));
        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task What_the_short_way_leaves_has_cost_nothing()
    {
        await using var world = await World.StartAsync(("Quotas:plenty:Requests", "1"), ("Quotas:plenty:Burst", "2"), ("Quotas:plenty:Window", "01:00:00"));
        using var fetched = await world.GetAsync("finished-1");
        using var hit = await world.GetAsync("finished-1");
        using var refused = await world.GetAsync("finished-1");
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests], new[] { fetched, hit, refused }.Select(one => one.StatusCode));
        Assert.Equal("\"plenty\";r=0", Header(hit, "RateLimit")[..12]);
    }

    [Fact]
    public async Task A_hit_is_measured_by_its_route()
    {
        await using var world = await World.StartAsync();
        using var first = await world.GetAsync("finished-1");
        using var durations = new Durations(world.Gateway);
        using var hit = await world.GetAsync("finished-1");
        await Purging.WithinAsync(TimeSpan.FromSeconds(10), () => durations.Routes.Contains(global::Gateway.RequestPath.JobRoute), "it is measured");
    }

    private static async Task<string> ToldAsync(World world, string method, string path, (string, string)[] headers)
    {
        using var answer = await SendAsync(world, method, path, headers);
        var told = answer.Headers.Concat(answer.Content.Headers).Where(header => header.Key is not ("Date" or "RateLimit"))
            .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}").Order(StringComparer.Ordinal);
        return $"{(int)answer.StatusCode}\n{string.Join('\n', told)}\n{Convert.ToHexString(await answer.Content.ReadAsByteArrayAsync(World.Cancellation))}";
    }

    private static async Task<HttpResponseMessage> SendAsync(World world, string method, string path, params (string Name, string Value)[] headers)
    {
        using var client = world.Gateway.Client(headers.Any(header => header.Name is "X-Api-Key" or "Authorization") ? headers : [("X-Api-Key", World.MappingKey), .. headers]);
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        return await client.SendAsync(request, World.Cancellation);
    }

    private static string Header(HttpResponseMessage answer, string name) => string.Join(", ", answer.Headers.GetValues(name));

    /// <summary>The routes that the server's own durations are told of.</summary>
    private sealed class Durations : IDisposable
    {
        private readonly MeterListener _listener = new();

        public Durations(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "http.server.request.duration" && instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
            {
                foreach (var (name, value) in tags)
                {
                    if (name == "http.route") Routes.Add((string)value!);
                }
            });
            _listener.Start();
        }

        public ConcurrentBag<string> Routes { get; } = [];

        public void Dispose() => _listener.Dispose();
    }
}
