using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// A simple hit is answered from memory without routing (the fast path), and any other request by the routed path.
/// Callers cannot tell the two apart. A path in upper case is routed and has the same meaning.
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
    public async Task The_fast_path_answers_like_the_routed_path(
        string method, string job, string? header = null, string? value = null)
    {
        await using var world = await World.StopClockAsync(
            ("Jobs:MinPollInterval", "00:00:05"), ("Jobs:MaxPollInterval", "00:00:05"));
        (string, string)[] headers = header is null ? [] : [(header, value!)];
        using var first = await SendAsync(world, method, $"v0/workflows/survey-1/jobs/{job}", headers);
        world.Clock!.Advance(TimeSpan.FromSeconds(1.5));

        var fast = await AnswerAsync(world, method, $"v0/workflows/survey-1/jobs/{job}", headers);
        var routed = await AnswerAsync(world, method, $"V0/Workflows/survey-1/Jobs/{job}", headers);

        Assert.Contains("Gateway; hit; ttl=", fast, StringComparison.Ordinal);
        Assert.Equal(routed, fast);
        // Both paths write the same log line.
        var line =
            $"{(header == "If-None-Match" && value == "*" ? 304 : 200)} for job survey-1/{job}, team "
            + $"{(header == "Authorization" ? "survey" : "mapping")}, caller";
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () =>
            world.Gateway.Log.All.Count(one => one.Contains(line, StringComparison.Ordinal)) == 3,
            "all requests are logged");
    }

    [Theory]
    [InlineData("v0/workflows/other/jobs/finished-1", HttpStatusCode.Forbidden)]
    [InlineData("v0/workflows/survey-1/jobs/finished-1/", HttpStatusCode.OK)]
    [InlineData("v0/workflows/survey-1/jobs/finished%2D1", HttpStatusCode.OK)]
    [InlineData("v0/workflows/survey-1/jobs/finished-1/x", HttpStatusCode.NotFound)]
    [InlineData("v0/workflows/survey-1/jobs/", HttpStatusCode.BadRequest)]
    [InlineData("v0/workflows/survey-1/jobs/a%20b", HttpStatusCode.BadRequest)]
    public async Task Requests_that_the_fast_path_does_not_support_are_routed(string path, HttpStatusCode status)
    {
        await using var world = await World.StartAsync();
        using var kept = await world.GetAsync("finished-1");
        using var answer = await SendAsync(world, "GET", path, ("X-Api-Key", World.SurveyKey));
        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task A_request_that_the_fast_path_passes_on_takes_no_permit()
    {
        await using var world = await World.StartAsync(
            ("Quotas:plenty:Requests", "1"), ("Quotas:plenty:Burst", "2"), ("Quotas:plenty:Window", "01:00:00"));
        using var fetched = await world.GetAsync("finished-1");
        using var hit = await world.GetAsync("finished-1");
        using var refused = await world.GetAsync("finished-1");
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests],
            new[] { fetched, hit, refused }.Select(one => one.StatusCode));
        Assert.Equal("\"plenty\";r=0", Header(hit, "RateLimit")[..12]);
    }

    [Fact]
    public async Task A_hit_from_memory_is_measured_with_its_route()
    {
        await using var world = await World.StartAsync();
        using var first = await world.GetAsync("finished-1");
        using var durations = new Durations(world.Gateway);
        using var hit = await world.GetAsync("finished-1");
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => durations.Routes.Contains(JobAddress.Route), "the hit is measured");
    }

    /// <summary>
    /// A team has a quota and its key has another one: both paths take a permit from each, or from none.
    /// </summary>
    [Theory]
    [InlineData("GET", "", 200)]
    [InlineData("HEAD", "", 200)]
    [InlineData("GET", "*", 304)]
    public async Task Both_paths_count_measure_and_log_the_same_with_several_quotas(
        string method, string known, int status)
    {
        const string Trace = "0af7651916cd43dd8448eb211c80319c";
        var (fast, routed) = (new List<string>(), new List<string>());
        (string, List<string>)[] ways =
            [("v0/workflows/survey-1/jobs/", fast), ("V0/Workflows/survey-1/Jobs/", routed)];
        foreach (var (path, told) in ways)
        {
            await using var world = await World.StopClockAsync(
                [.. Shipped.Levels, ("Logging:LogLevel:Gateway", "Debug"), ("Teams:mapping:ApiKeys:0:Quota", "few"),
                    ("Quotas:few:Requests", "1"), ("Quotas:few:Burst", "3"), ("Quotas:few:Window", "01:00:00")]);
            using var measured = new Measurements(world.Gateway);
            using var kept = await world.GetAsync("finished-1");
            await measured.ReadAsync();
            for (var i = 0; i < 3; i++)
            {
                var lines = world.Gateway.Log.All.Count;
                using var answer = await SendAsync(
                    world, method, $"{path}finished-1", ("X-Api-Key", World.MappingKey),
                    ("If-None-Match", known), ("traceparent", $"00-{Trace}-b7ad6b7169203331-01"));
                Assert.Equal(i < 2 ? status : 429, (int)answer.StatusCode);
                told.Add($"{Header(answer, "RateLimit")} {Header(answer, "RateLimit-Policy")}");
                told.Add(await measured.ReadAsync());
                await Wait.UntilAsync(
                    TimeSpan.FromSeconds(10), () => world.Gateway.Log.All.Count > lines, "the request is logged");
                told.Add(Untimed(world.Gateway.Log.All[lines]));
            }
        }

        Assert.Equal(routed, fast);
        Assert.Equal(3, fast.Count(line => line.Contains($"trace {Trace}", StringComparison.Ordinal)));
        Assert.Contains(fast, line => line.Contains("\"few\";r=0", StringComparison.Ordinal));
        Assert.Contains(fast, line => line.Contains("http.server.request.duration", StringComparison.Ordinal)
            && line.Contains($"http.route={JobAddress.Route}", StringComparison.Ordinal));
        Assert.Contains(fast, line => line.Contains("gateway.requests", StringComparison.Ordinal));
    }

    private static string Untimed(string line) =>
        System.Text.RegularExpressions.Regex.Replace(line, @"in [0-9.]+ ms", "in a time");

    /// <summary>
    /// A caller does not read its answers: both paths wait, log the duration, and count the request only if the caller
    /// stays.
    /// </summary>
    [Theory]
    [InlineData("/v0/workflows/survey-1/jobs/", true)]
    [InlineData("/v0/workflows/survey-1/jobs/", false)]
    [InlineData("/V0/Workflows/survey-1/Jobs/", true)]
    [InlineData("/V0/Workflows/survey-1/Jobs/", false)]
    public async Task Both_paths_wait_for_a_slow_caller_and_count_the_same(string path, bool stays)
    {
        const int Requests = 400;
        const string Job = "finished-1.size-50";
        var bound = TimeSpan.FromSeconds(60);
        await using var world = await World.StartAsync([.. Shipped.Levels, ("Logging:LogLevel:Gateway", "Debug")]);
        using var kept = await world.GetAsync(Job);
        using var counts = new Counts(world.Gateway);
        // A caller receives its answer before the request is counted.
        await Wait.UntilAsync(bound, () => counts.Answered == 1, "the first answer is counted");
        var (hits, answered) = (counts.Hits, counts.Answered);
        var answeredWhenFull = 0L;
        using (var connection = await RawConnection.OpenAsync(world.Gateway.Address, receiveBuffer: 4096))
        {
            var request = $"GET {path}{Job} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n\r\n";
            var sending = connection.SendAsync(string.Concat(Enumerable.Repeat(request, Requests)));
            // When all buffers are full, one hit is neither answered nor aborted.
            var before = -1L;
            await Wait.UntilAsync(bound, async () =>
            {
                await Task.Delay(500, World.Cancellation);
                var isStill = counts.Hits == before;
                before = counts.Hits;
                return isStill && before - hits - (counts.Answered - answered) == 1;
            }, "the connection is full");
            Assert.InRange(counts.Hits - hits, 1, Requests - 1);
            answeredWhenFull = counts.Answered;
            if (stays)
            {
                for (var i = 0; i < Requests; i++)
                {
                    Assert.Equal(200, (await connection.ReadAsync().WaitAsync(bound, World.Cancellation))!.Status);
                }
            }
            await sending;
        }

        var lines = 0L;
        await Wait.UntilAsync(bound, () =>
        {
            lines = world.Gateway.Log.All.LongCount(
                line => line.Contains($"200 for job survey-1/{Job}, team mapping", StringComparison.Ordinal));
            return lines == counts.Answered && (!stays || counts.Answered - answered == Requests);
        }, "each answered request is a line");
        if (!stays)
        {
            // The server may continue with requests that it has already read.
            Assert.Equal(answeredWhenFull, counts.Answered);
            return;
        }
        Assert.Equal(counts.Hits - hits, counts.Answered - answered);
        Assert.Contains(world.Gateway.Log.All, line => Milliseconds(line) >= 500);
    }

    private static double Milliseconds(string line) =>
        System.Text.RegularExpressions.Regex.Match(line, @"200 for job .* in ([0-9.]+) ms") is { Success: true } match
            ? double.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) : 0;

    private static async Task<string> AnswerAsync(World world, string method, string path, (string, string)[] headers)
    {
        using var answer = await SendAsync(world, method, path, headers);
        var told = answer.Headers.Concat(answer.Content.Headers)
            .Where(header => header.Key is not ("Date" or "RateLimit"))
            .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}").Order(StringComparer.Ordinal);
        var body = Convert.ToHexString(await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
        return $"{(int)answer.StatusCode}\n{string.Join('\n', told)}\n{body}";
    }

    private static async Task<HttpResponseMessage> SendAsync(
        World world, string method, string path, params (string Name, string Value)[] headers)
    {
        using var client = world.Gateway.Client(headers.Any(header => header.Name is "X-Api-Key" or "Authorization")
            ? headers : [("X-Api-Key", World.MappingKey), .. headers]);
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        return await client.SendAsync(request, World.Cancellation);
    }

    private static string Header(HttpResponseMessage answer, string name) =>
        string.Join(", ", answer.Headers.GetValues(name));

    /// <summary>The hits and answers that the gateway's metrics have counted.</summary>
    private sealed class Counts : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Lock _lock = new();
        private long _hits, _answered;

        public Counts(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope != factory) return;
                if (instrument.Name is "gateway.requests" or "gateway.cache.lookups")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            {
                foreach (var (_, tag) in tags)
                {
                    if (instrument.Name == "gateway.cache.lookups" && tag is "hit") _hits += value;
                    if (instrument.Name == "gateway.requests" && tag is 200) _answered += value;
                }
            });
            _listener.Start();
        }

        public long Hits => Read().Hits;

        public long Answered => Read().Answered;

        public void Dispose() => _listener.Dispose();

        private (long Hits, long Answered) Read()
        {
            lock (_lock)
            {
                (_hits, _answered) = (0, 0);
                _listener.RecordObservableInstruments();
                return (_hits, _answered);
            }
        }
    }

    /// <summary>The number of recordings of each instrument by tags, or the increase of its value.</summary>
    private sealed class Measurements : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Lock _lock = new();
        private readonly Dictionary<string, double> _now = new(StringComparer.Ordinal);
        private Dictionary<string, double> _before;

        public Measurements(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                // Excludes gauges, connections and memory, which describe the server, and drift, which is checked
                // later.
                if (instrument.Meter.Scope == factory
                    && !instrument.Name.StartsWith("gateway.drift", StringComparison.Ordinal)
                    && instrument.Meter.Name is "Gateway" or "Microsoft.AspNetCore.Hosting"
                    && instrument.GetType().Name.Split('`')[0] is "Counter" or "Histogram" or "ObservableCounter")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>(
                (instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.Start();
            _listener.RecordObservableInstruments();
            _before = new(_now);
        }

        /// <summary>The changes since the last reading, after a request has been measured.</summary>
        public async Task<string> ReadAsync()
        {
            var changes = "";
            await Wait.UntilAsync(TimeSpan.FromSeconds(10), () =>
            {
                _listener.RecordObservableInstruments();
                lock (_lock)
                {
                    changes = string.Join('\n', _now
                        .Where(one => one.Value != _before.GetValueOrDefault(one.Key))
                        .Select(one => $"{one.Key} +{one.Value - _before.GetValueOrDefault(one.Key)}")
                        .Order(StringComparer.Ordinal));
                }
                return changes.Contains("http.server.request.duration", StringComparison.Ordinal)
                    && changes.Contains("gateway.requests", StringComparison.Ordinal);
            }, "the request is measured");
            lock (_lock) _before = new(_now);
            return changes;
        }

        public void Dispose() => _listener.Dispose();

        private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var about = tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}").Order(StringComparer.Ordinal);
            var name = $"{instrument.Name} {string.Join(' ', about)}";
            lock (_lock)
            {
                _now[name] = instrument.IsObservable ? value
                    : _now.GetValueOrDefault(name) + (instrument is Histogram<double> ? 1 : value);
            }
        }
    }

    /// <summary>The routes in the server's request duration metric.</summary>
    private sealed class Durations : IDisposable
    {
        private readonly MeterListener _listener = new();

        public Durations(GatewayNode node)
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "http.server.request.duration" && instrument.Meter.Scope == factory)
                    listener.EnableMeasurementEvents(instrument);
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
