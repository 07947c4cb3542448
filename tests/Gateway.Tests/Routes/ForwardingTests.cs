using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Tests.Drift;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Tests.Routes;

/// <summary>Tests configured routes to other operations of the upstream.</summary>
public sealed class ForwardingTests
{
    private static readonly (string, string?)[] Routes =
    [
        ("Routes:workflows:Path", "/v0/workflows"), ("Routes:workflows:Query:0", "page"),
        ("Routes:workflows:Query:1", "tag"),
        ("Routes:workflows:ResponseHeaders:0", "Link"),
        ("Routes:workflow:Path", "/v0/workflows/{workflow_id}"),
        ("Routes:events:Path", "/v0/workflows/{workflow_id}/events"), ("Routes:events:IdleTimeout", "00:00:02"),
        ("Teams:mapping:Routes:0", "*"), ("Teams:survey:Routes:0", "workflow"),
    ];

    [Fact]
    public async Task A_request_that_matches_no_route_is_not_forwarded()
    {
        await using var world = await World.StartAsync(Routes);
        var seen = Script(world, "/v0/scenes");

        foreach (var path in (string[])["v0/scenes", "v0/workflows/survey-1/other", "v0/workflows/survey-1/events/1",
            "v0", "v1/workflows"])
        {
            using var answer = await GetAsync(world, path);
            Assert.Equal((HttpStatusCode.NotFound, "/problems/not-found"),
                (answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
        }
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var posted = await client.PostAsync(new Uri("v0/workflows", UriKind.Relative), null, World.Cancellation);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);
        Assert.Empty(seen);
    }

    [Fact]
    public async Task A_route_that_is_more_specific_than_the_job_path_takes_precedence()
    {
        await using var world = await World.StartAsync(
            [.. Routes, ("Routes:latest:Path", "/v0/Workflows/{workflow_id}/jobs/latest")]);
        var seen = Script(world, "/v0/Workflows/survey-1/jobs/latest");

        Assert.Equal("200", await SayAsync(world, "v0/workflows/survey-1/jobs/latest", World.MappingKey));
        using var job = await world.GetAsync("finished-1");

        Assert.Single(seen);
        Assert.Equal(HttpStatusCode.OK, job.StatusCode);
        Assert.True(job.Headers.Contains("Cache-Status"));
    }

    [Fact]
    public async Task Metrics_and_the_log_show_requests_by_route_and_team()
    {
        await using var world = await World.StartAsync(Routes);
        using var requests = new Operating.Measured(world.Gateway, counter: "gateway.requests");
        using var refusals = new Operating.Measured(world.Gateway, counter: "gateway.refusals");
        Script(world, "/v0/workflows/survey-1");

        await SayAsync(world, "v0/workflows/survey-1", World.SurveyKey);
        await SayAsync(world, "v0/workflows/other", World.SurveyKey);
        await SayAsync(world, "v0/workflows/a%20b", World.SurveyKey);
        using var job = await world.GetAsync("finished-1");

        // Requests are counted after the response was sent.
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => requests.Counts.Count >= 4, "the requests are counted");
        Assert.Equal(
            [" workflow 400: 1", "mapping getJobById 200: 1", "survey workflow 200: 1", "survey workflow 403: 1"],
            requests.Counts.Select(count => $"{Values(count.Key)}: {count.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(["error.type=identifier: 1", "error.type=route: 1"],
            refusals.Counts.Select(count => $"{count.Key}: {count.Value}").Order(StringComparer.Ordinal));
        await Wait.UntilAsync(TimeSpan.FromSeconds(10),
            () => world.Gateway.Log.All.Any(
                line => line.Contains("403 for route workflow, workflow other, team survey, caller survey-test",
                StringComparison.Ordinal)), "the log has the line");

        static string Values(string tags) => string.Join(' ', tags.Split(' ').Select(tag => tag.Split('=')[1]));
    }

    [Fact]
    public async Task No_route_exists_by_default()
    {
        await using var world = await World.StartAsync();
        var seen = Script(world, "/v0/workflows");
        using var answer = await GetAsync(world, "v0/workflows");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Empty(seen);
    }

    [Fact]
    public async Task A_forwarded_request_has_the_servers_credential_and_only_listed_headers_and_parameters()
    {
        await using var world = await World.StartAsync(Routes);
        var seen = Script(world, "/v0/workflows");

        using var answer = await GetAsync(world, "V0/Workflows/?page=2&secret=1&tag=a%20b&tag=c%26d&Page=3",
            World.MappingKey,
            ("Accept", "application/json"), ("Accept-Language", "de"), ("If-None-Match", "\"x\""),
            ("If-Modified-Since", "Sun, 01 Feb 2026 00:00:00 GMT"), ("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"),
            ("Accept-Encoding", "gzip"), ("X-Other", "1"), ("Range", "bytes=0-1"), ("If-Range", "\"x\""),
            ("baggage", "a=1"));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var (target, headers) = Assert.Single(seen);
        Assert.Equal("/v0/workflows?page=2&page=3&tag=a%20b&tag=c%26d", target);
        Assert.Equal(Canary.Credential, headers["Authorization"]);
        headers.Remove("traceparent");
        Assert.Equal(["Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Host", "If-Modified-Since",
            "If-None-Match", "If-Range", "Range", "User-Agent"], headers.Keys.Order());
        Assert.Equal(("identity", "Gateway", world.Upstream.Address.Authority, "\"x\""),
            (headers["Accept-Encoding"], headers["User-Agent"], headers["Host"], headers["If-Range"]));
        // The range is wider than the caller's, so that a credential at its end is recognised.
        Assert.Matches("^bytes=0-[0-9]{3,}$", headers["Range"]);
    }

    [Fact]
    public async Task A_forwarded_response_has_its_body_and_only_listed_headers_and_is_not_cached()
    {
        await using var world = await World.StartAsync(Routes);
        var seen = Script(world, "/v0/workflows", http =>
        {
            var headers = http.Response.Headers;
            http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = "Found on host-7";
            headers.ContentType = "application/vnd.workflows+json";
            headers.ETag = "\"v1\"";
            headers.Link = "</v0/workflows?page=2>; rel=next";
            headers.SetCookie = "a=b";
            headers["X-Internal"] = "host-7";
            headers.CacheControl = "public, max-age=600";
            headers.AccessControlAllowOrigin = "*";
            return http.Response.WriteAsync("[1, 2 ,3]");
        });

        using var first = await GetAsync(world, "v0/workflows");
        using var second = await GetAsync(world, "v0/workflows");

        Assert.Equal("[1, 2 ,3]", await first.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal(2, seen.Count);
        Assert.Equal("application/vnd.workflows+json", first.Content.Headers.ContentType!.ToString());
        Assert.Equal("\"v1\"", first.Headers.ETag!.ToString());
        Assert.Equal("OK", first.ReasonPhrase);
        Assert.Equal("no-store", first.Headers.CacheControl!.ToString());
        Assert.Equal(
            ["Cache-Control", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Date", "ETag", "Link",
            "RateLimit", "RateLimit-Policy", "Referrer-Policy", "Transfer-Encoding", "Vary", "X-Content-Type-Options"],
            first.Headers.Select(header => header.Key).Order());
    }

    [Fact]
    public async Task A_304_of_the_upstream_is_passed_on()
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows", http =>
        {
            http.Response.Headers.ETag = "\"v1\"";
            http.Response.StatusCode = http.Request.Headers.IfNoneMatch == "\"v1\"" ? 304 : 200;
            return Task.CompletedTask;
        });
        using var answer = await GetAsync(world, "v0/workflows", World.MappingKey, ("If-None-Match", "\"v1\""));
        Assert.Equal((HttpStatusCode.NotModified, "\"v1\""), (answer.StatusCode, answer.Headers.ETag!.ToString()));
    }

    [Fact]
    public async Task A_request_requires_permission_for_both_the_route_and_the_workflow()
    {
        await using var world = await World.StartAsync(Routes);
        foreach (var path in (string[])["/v0/workflows", "/v0/workflows/survey-1", "/v0/workflows/other"])
        {
            Script(world, path);
        }

        Assert.Equal("200", await SayAsync(world, "v0/workflows/survey-1", World.SurveyKey));
        Assert.Equal("403 /problems/route-forbidden", await SayAsync(world, "v0/workflows/other", World.SurveyKey));
        Assert.Equal("403 /problems/route-forbidden", await SayAsync(world, "v0/workflows", World.SurveyKey));
        Assert.Equal("200", await SayAsync(world, "v0/workflows/other", World.MappingKey));
        Assert.Equal("401 /problems/unauthenticated", await SayAsync(world, "v0/workflows", "wrong"));
        Assert.Equal("400 /problems/invalid-identifier", await SayAsync(world, "v0/workflows/a%2Fb", World.MappingKey));
        Assert.Equal("400 /problems/invalid-identifier", await SayAsync(world, "v0/workflows/a%20b", World.MappingKey));

        // A change of a team's routes takes effect at run time.
        world.Gateway.Reconfigure(("Teams:survey:Routes:0", "Workflows"));
        Assert.Equal("200", await SayAsync(world, "v0/workflows", World.SurveyKey));
        Assert.Equal("403 /problems/route-forbidden", await SayAsync(world, "v0/workflows/survey-1", World.SurveyKey));
    }

    [Fact]
    public async Task A_forwarded_request_counts_against_the_teams_quota_and_the_accounts_budget()
    {
        await using var world =
            await World.StartAsync(
                [.. Routes, ("Teams:mapping:Quota", "few"), ("Quotas:few:Requests", "1"),
                ("Quotas:few:Window", "01:00:00"), ("Quotas:few:Burst", "2"),
            ("Teams:mapping:Account", "small"), ("Upstream:Accounts:small:Credential", Canary.Credential),
            ("Upstream:Accounts:small:RequestsPerSecond", "0.01"),
            ("Upstream:Accounts:small:Burst", "1"), ("Upstream:Accounts:small:QueueTimeout", "00:00:00.2")]);
        var seen = Script(world, "/v0/workflows");

        Assert.Equal("200", await SayAsync(world, "v0/workflows", World.MappingKey));
        Assert.Equal("503 /problems/upstream-budget-exhausted",
            await SayAsync(world, "v0/workflows", World.MappingKey));
        Assert.Equal("429 https://iana.org/assignments/http-problem-types#quota-exceeded",
            await SayAsync(world, "v0/workflows", World.MappingKey));
        Assert.Single(seen);
    }

    [Theory]
    [InlineData(400, "400 /problems/upstream-bad-request E7")]
    [InlineData(403, "403 /problems/upstream-forbidden E7")]
    [InlineData(404, "404 /problems/upstream-not-found E7")]
    [InlineData(401, "503 /problems/upstream-credential-refused")]
    [InlineData(410, "410 /problems/upstream-gone E7")]
    [InlineData(451, "451 /problems/upstream-legal E7")]
    [InlineData(302, "502 /problems/upstream-invalid")]
    [InlineData(418, "502 /problems/upstream-invalid")]
    [InlineData(429, "503 https://iana.org/assignments/http-problem-types#temporary-reduced-capacity")]
    [InlineData(500, "502 /problems/upstream-failed")]
    [InlineData(503, "503 /problems/upstream-unavailable")]
    [InlineData(504, "504 /problems/upstream-timeout")]
    public async Task An_unsuccessful_response_becomes_the_same_problem_as_for_a_job(int status, string expected)
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows", http =>
        {
            http.Response.StatusCode = status;
            http.Response.Headers.Location = "https://elsewhere.example/";
            http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = Canary.Secret;
            return http.Response.WriteAsync("""{"error":{"code":"E7","message":"so it is"}}""");
        });
        Assert.Equal(expected, await SayAsync(world, "v0/workflows", World.MappingKey));
    }

    [Fact]
    public async Task A_dropped_connection_is_502_and_an_upstream_that_never_responds_is_504()
    {
        await using var world = await World.StartAsync([.. Routes, ("Upstream:Timeout", "00:00:01")]);
        Script(world, "/v0/workflows",
            http => Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));
        Script(world, "/v0/workflows/cut", http =>
        {
            http.Abort();
            return Task.CompletedTask;
        });
        Assert.Equal("504 /problems/upstream-timeout", await SayAsync(world, "v0/workflows", World.MappingKey));
        Assert.Equal("502 /problems/upstream-failed", await SayAsync(world, "v0/workflows/cut", World.MappingKey));
    }

    [Fact]
    public async Task A_route_with_a_short_idle_timeout_is_504_if_the_upstream_never_responds()
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows/survey-1/events",
            http => Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));
        Assert.Equal("504 /problems/upstream-timeout",
            await SayAsync(world, "v0/workflows/survey-1/events", World.MappingKey));
    }

    [Fact]
    public async Task A_stream_that_starts_successfully_closes_the_circuit()
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows", http =>
        {
            http.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        Script(world, "/v0/workflows/survey-1/events", async http =>
        {
            while (true)
            {
                await http.Response.WriteAsync("data: 1\n\n", http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                await Task.Delay(100, http.RequestAborted);
            }
        });
        for (var i = 0; i < 12; i++) await SayAsync(world, "v0/workflows", World.MappingKey);
        using var client = new HttpClient { BaseAddress = world.Gateway.Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        HttpResponseMessage? stream = null;
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), async () =>
        {
            stream?.Dispose();
            stream = await client.GetAsync(new Uri("v0/workflows/survey-1/events", UriKind.Relative),
                HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
            return stream.IsSuccessStatusCode;
        }, "a probe succeeds");

        using var job = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, job.StatusCode);
        stream!.Dispose();
    }

    [Fact]
    public async Task Request_bodies_and_connection_upgrades_are_not_forwarded()
    {
        await using var world = await World.StartAsync([.. Routes, ("Upstream:Timeout", "00:00:01")]);
        var seen = Script(world, "/v0/workflows");
        string[] rests =
        [
            "Content-Length: 5\r\n\r\nhello",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ];
        foreach (var rest in rests)
        {
            using var tcp = new TcpClient(world.Gateway.Address.Host, world.Gateway.Address.Port);
            await tcp.GetStream()
                .WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"GET /v0/workflows HTTP/1.1\r\nHost: x\r\nX-Api-Key: {World.MappingKey}\r\n{rest}"),
                    World.Cancellation);
            using var reader = new StreamReader(tcp.GetStream());
            Assert.Equal("HTTP/1.1 200 OK",
                await reader.ReadLineAsync(World.Cancellation).AsTask()
                    .WaitAsync(TimeSpan.FromSeconds(5), World.Cancellation));
        }
        Assert.Equal(2, seen.Count);
        Assert.DoesNotContain(seen,
            call => call.Headers.Keys.Any(
                name => name is "Upgrade" or "Connection" or "Content-Length" or "Transfer-Encoding"));
    }

    [Fact]
    public async Task A_route_uses_the_next_credential_if_the_current_one_is_refused()
    {
        await using var world = await World.StartAsync(
            [.. Routes, ("Upstream:Accounts:default:NextCredential", Canary.Next)]);
        world.Upstream.Credentials.Replace([Canary.Next]);
        Script(world, "/v0/workflows");
        Assert.Equal("200", await SayAsync(world, "v0/workflows", World.MappingKey));
    }

    [Fact]
    public async Task A_response_streams_beyond_the_timeout_and_is_aborted_when_it_stalls()
    {
        await using var world = await World.StartAsync([.. Routes, ("Upstream:Timeout", "00:00:01")]);
        var go = new SemaphoreSlim(0);
        Script(world, "/v0/workflows/survey-1/events", async http =>
        {
            http.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 5; i++)
            {
                await http.Response.WriteAsync($"data: {i}\n\n", http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                await go.WaitAsync(http.RequestAborted);
            }
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        });
        using var client = new HttpClient { BaseAddress = world.Gateway.Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        using var answer = await client.GetAsync(new Uri("v0/workflows/survey-1/events", UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(World.Cancellation));

        for (var i = 0; i < 5; i++)
        {
            // Each event arrives before the next one is sent, and the stream outlasts the timeout of a job.
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(World.Cancellation));
            Assert.Equal("", await reader.ReadLineAsync(World.Cancellation));
            await Task.Delay(300, World.Cancellation);
            go.Release();
        }
        await Assert.ThrowsAnyAsync<IOException>(async () => await reader.ReadLineAsync(World.Cancellation).AsTask()
            .WaitAsync(TimeSpan.FromSeconds(10), World.Cancellation));
    }

    [Fact]
    public async Task A_caller_that_disconnects_cancels_the_call_and_frees_its_place()
    {
        await using var world = await World.StartAsync(
            [.. Routes, ("Upstream:Accounts:default:MaxConcurrentRequests", "1")]);
        var left = new TaskCompletionSource();
        Script(world, "/v0/workflows", async http =>
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            left.SetResult();
        });
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation))
        {
            leaving.CancelAfter(300);
            using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => client.GetAsync(new Uri("v0/workflows", UriKind.Relative), leaving.Token));
        }
        await left.Task.WaitAsync(TimeSpan.FromSeconds(5), World.Cancellation);

        using var next = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Theory]
    [InlineData("""{"note":"{0}"}""")]
    [InlineData("{0}")]
    public async Task A_credential_in_a_streamed_response_never_reaches_the_caller(string body)
    {
        await using var world = await World.StartAsync(Routes);
        // The credential comes in two pieces, split at each position, after bytes that were already sent.
        var cut = 0;
        Script(world, "/v0/workflows", async http =>
        {
            var bytes = Encoding.UTF8.GetBytes(body.Replace("{0}", Canary.Credential, StringComparison.Ordinal));
            await http.Response.WriteAsync(new string(' ', 1000));
            foreach (var piece in (byte[][])[bytes[..cut], bytes[cut..]])
            {
                await http.Response.Body.WriteAsync(piece);
                await http.Response.Body.FlushAsync();
                await Task.Delay(20);
            }
        });
        for (cut = 1; cut < Canary.Credential.Length; cut += 3)
        {
            var read = await ReadAsFarAsItGoesAsync(world, "v0/workflows");
            Assert.DoesNotContain("canary-5e1f", read, StringComparison.Ordinal);
            // If the connection was reset, bytes that were already sent may be lost.
            Assert.True(read.Length is 0 or >= 1000);
        }
        await Wait.UntilAsync(TimeSpan.FromSeconds(10),
            () => world.Gateway.Log.All.Any(
                line => line.Contains(
                    "A call of route workflows failed, and its answer was cut short: EchoedCredential",
                StringComparison.Ordinal)), "the log has the line");
        Assert.DoesNotContain(world.Gateway.Log.All, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_upstream_call_ends_when_its_response_contains_the_credential()
    {
        await using var world = await World.StartAsync(Routes);
        var over = new TaskCompletionSource();
        Script(world, "/v0/workflows", async http =>
        {
            foreach (var piece in (string[])["data: 1\n\n", Canary.Credential])
            {
                await http.Response.WriteAsync(piece);
                await http.Response.Body.FlushAsync();
                await Task.Delay(100);
            }
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            over.SetResult();
        });
        await ReadAsFarAsItGoesAsync(world, "v0/workflows");
        await over.Task.WaitAsync(TimeSpan.FromSeconds(5), World.Cancellation);
    }

    public static TheoryData<string> Forms =>
    [
        Uri.EscapeDataString(Canary.Secret), string.Concat(Canary.Secret.Select(c => $"%{(int)c:x2}")),
        $"\"{string.Concat(Canary.Secret.Select(c => $"\\u{(int)c:x4}"))}\"",
        $"\"{Canary.Secret.Replace("/", "\\/", StringComparison.Ordinal)}\"",
        $"\"{string.Concat(Canary.Secret.Select(c => $"\\\\u{(int)c:x4}"))}\"",
        Convert.ToBase64String(Encoding.ASCII.GetBytes("x" + Canary.Secret)),
    ];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task An_encoded_credential_in_small_chunks_never_reaches_the_caller(string form)
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows", async http =>
        {
            foreach (var piece in Encoding.ASCII.GetBytes($"[0] <{form}").Chunk(3))
            {
                await http.Response.Body.WriteAsync(piece);
                await http.Response.Body.FlushAsync();
                await Task.Delay(2);
            }
        });
        var read = await ReadAsFarAsItGoesAsync(world, "v0/workflows");
        // In base64, the first and last characters depend on the adjacent bytes.
        Assert.InRange(read.Length, 0, "[0] <".Length + 5);
    }

    [Fact]
    public async Task Bytes_that_cannot_start_the_credential_are_sent_immediately()
    {
        await using var world = await World.StartAsync(Routes);
        var go = new SemaphoreSlim(0);
        string[] pieces = ["[1, 2, 99, ", "data: 5%", "canary\n", "\"\\u00", "e9\"\n"];
        Script(world, "/v0/workflows", async http =>
        {
            foreach (var piece in pieces)
            {
                await http.Response.WriteAsync(piece);
                await http.Response.Body.FlushAsync();
                await go.WaitAsync(World.Cancellation);
            }
        });
        using var client = new HttpClient { BaseAddress = world.Gateway.Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        using var answer = await client.GetAsync(
            new Uri("v0/workflows", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
        await using var stream = await answer.Content.ReadAsStreamAsync(World.Cancellation);
        var (read, buffer) = ("", new byte[100]);
        foreach (var sofar in (string[])["[1, 2, 99, ", "[1, 2, 99, data: 5", "[1, 2, 99, data: 5%canary\n",
            "[1, 2, 99, data: 5%canary\n\"", "[1, 2, 99, data: 5%canary\n\"\\u00e9\"\n"])
        {
            while (read.Length < sofar.Length)
            {
                read += Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, World.Cancellation));
            }
            Assert.Equal(sofar, read);
            go.Release();
        }
    }

    [Theory]
    [InlineData(false, "200 200 503", "200 200 503", "401")]
    [InlineData(true, "200 200 200 200 503", "200 200 503", "200 503")]
    public async Task Streams_of_one_team_leave_places_for_other_teams_and_for_jobs(bool withThird, string mapping,
        string survey, string third)
    {
        const string ThirdKey = "third-key-0123456789";
        (string, string?)[] team =
            [("Teams:third:Workflows:0", "*"), ("Teams:third:Routes:0", "*"), ("Teams:third:Quota", "plenty"),
            ("Teams:third:ApiKeys:0:Id", "third-test"), ("Teams:third:ApiKeys:0:Sha256", World.Sha256(ThirdKey))];
        await using var world =
            await World.StartAsync([.. Routes, .. withThird ? team : [], ("Teams:survey:Routes:1", "events"),
            ("Upstream:Accounts:default:MaxConcurrentRequests", withThird ? "16" : "8"),
                ("Upstream:Accounts:default:QueueTimeout", "00:00:00.5")]);
        Script(world, "/v0/workflows/survey-1/events", async http =>
        {
            await http.Response.WriteAsync("data: 1\n\n");
            await http.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        using var client = new HttpClient { BaseAddress = world.Gateway.Address };
        var streams = new List<HttpResponseMessage>();
        async Task<HttpStatusCode> OpenAsync(string key)
        {
            using var request = new HttpRequestMessage(
                HttpMethod.Get, new Uri("v0/workflows/survey-1/events", UriKind.Relative));
            request.Headers.Add("X-Api-Key", key);
            streams.Add(await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, World.Cancellation));
            return streams[^1].StatusCode;
        }

        // All streams together take at most half of the places, and those of one team at most half of that. Each
        // team finds a place.
        foreach (var (key, expected) in ((string, string)[])[(World.MappingKey, mapping), (World.SurveyKey, survey),
            (ThirdKey, third)])
        {
            var statuses = new List<int>();
            while (statuses.Count < expected.Split(' ').Length) statuses.Add((int)await OpenAsync(key));
            Assert.Equal(expected, string.Join(' ', statuses));
        }
        using var job = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, job.StatusCode);

        foreach (var stream in streams) stream.Dispose();
        await Wait.UntilAsync(TimeSpan.FromSeconds(5),
            async () => await OpenAsync(World.MappingKey) == HttpStatusCode.OK, "places are free again");
        streams[^1].Dispose();
    }

    [Fact]
    public async Task Every_workflow_in_a_path_must_be_allowed()
    {
        await using var world =
            await World.StartAsync(("Routes:compare:Path", "/v0/workflows/{workflow_id}/compare/{workflowId}"),
            ("Teams:survey:Routes:0", "compare"));
        Script(world, "/v0/workflows/survey-1/compare/survey-2");
        var other = Script(world, "/v0/workflows/survey-1/compare/other");
        Assert.Equal("200", await SayAsync(world, "v0/workflows/survey-1/compare/survey-2", World.SurveyKey));
        Assert.Equal("403 /problems/route-forbidden",
            await SayAsync(world, "v0/workflows/survey-1/compare/other", World.SurveyKey));
        Assert.Empty(other);
    }

    [Fact]
    public async Task Pages_of_allowed_origins_may_read_the_headers_of_a_route()
    {
        await using var world = await World.StartAsync(
            [.. Routes, ("Cors:AllowedOrigins:0", "https://app.example.com")]);
        Script(world, "/v0/workflows");
        using var answer = await GetAsync(
            world, "v0/workflows", World.MappingKey, ("Origin", "https://app.example.com"));
        var exposed = string.Join(',', answer.Headers.GetValues("Access-Control-Expose-Headers")).Split(',')
            .Select(name => name.Trim());
        Assert.Equal([], ((string[])["Link", "ETag", "Last-Modified", "Retry-After"]).Except(exposed));
    }

    [Theory]
    [InlineData("ETag")]
    [InlineData("Link")]
    [InlineData("Last-Modified")]
    public async Task A_credential_in_a_response_header_is_502(string header)
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows", http =>
        {
            http.Response.Headers[header] = $"\"{Convert.ToBase64String(Encoding.ASCII.GetBytes(Canary.Credential))}\"";
            return Task.CompletedTask;
        });
        Assert.Equal("502 /problems/upstream-invalid", await SayAsync(world, "v0/workflows", World.MappingKey));
    }

    [Fact]
    public async Task A_body_in_an_unrequested_coding_is_502_because_it_cannot_be_scanned()
    {
        await using var world = await World.StartAsync(Routes);
        Script(world, "/v0/workflows", http =>
        {
            http.Response.Headers.ContentEncoding = "gzip";
            return http.Response.WriteAsync("not really");
        });
        Assert.Equal("502 /problems/upstream-invalid", await SayAsync(world, "v0/workflows", World.MappingKey));
    }

    [Fact]
    public async Task A_large_response_is_complete()
    {
        await using var world = await World.StartAsync(Routes);
        var body = new byte[5_000_000];
        // The body consists of prefixes of the secret.
        for (var i = 0; i < body.Length; i++) body[i] = (byte)"canary-5e"[i % 9];
        Script(world, "/v0/workflows", http =>
        {
            http.Response.ContentLength = body.Length;
            return http.Response.Body.WriteAsync(body).AsTask();
        });
        using var answer = await GetAsync(world, "v0/workflows");
        Assert.Null(answer.Headers.TransferEncodingChunked);
        Assert.Equal(body, await answer.Content.ReadAsByteArrayAsync(World.Cancellation));
    }

    [Fact]
    public async Task A_response_full_of_escaped_prefixes_of_the_credential_is_complete()
    {
        await using var world = await World.StartAsync(Routes);
        var beginning = string.Concat(Canary.Secret[..^1].Select(c => $"\\\\\\u{(int)c:x4}"));
        var body = string.Concat(Enumerable.Repeat($"\"{beginning}\" ", 500));
        Script(world, "/v0/workflows", http => http.Response.WriteAsync(body));
        using var answer = await GetAsync(world, "v0/workflows");
        Assert.Equal(body, await answer.Content.ReadAsStringAsync(World.Cancellation));
    }

    private static List<(string Target, Dictionary<string, string> Headers)> Script(
        World world, string path, RequestDelegate? answer = null)
    {
        var seen = new List<(string, Dictionary<string, string>)>();
        world.Upstream.Others[path] = async http =>
        {
            lock (seen) seen.Add((http.Request.Path + http.Request.QueryString.Value,
                http.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString())));
            await (answer?.Invoke(http) ?? http.Response.WriteAsync("{}"));
        };
        return seen;
    }

    private static async Task<HttpResponseMessage> GetAsync(
        World world, string path, string key = World.MappingKey, params (string, string)[] headers)
    {
        using var client = world.Gateway.Client([("X-Api-Key", key), .. headers]);
        return await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
    }

    private static async Task<string> SayAsync(World world, string path, string key)
    {
        using var answer = await GetAsync(world, path, key);
        Canary.AssertAbsent("the status line", answer.ReasonPhrase ?? "");
        if (answer.IsSuccessStatusCode) return $"{(int)answer.StatusCode}";
        var text = await answer.Content.ReadAsStringAsync(World.Cancellation);
        return $"{(int)answer.StatusCode} "
            + $"{await BoundTests.ProblemTypeAsync(answer)}"
            + $"{(text.Contains("\"E7\"", StringComparison.Ordinal) ? " E7" : "")}";
    }

    private static async Task<string> ReadAsFarAsItGoesAsync(World world, string path)
    {
        using var client = new HttpClient { BaseAddress = world.Gateway.Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);
        var read = new MemoryStream();
        var buffer = new byte[4096];
        try
        {
            using var answer = await client.GetAsync(
                new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, World.Cancellation);
            await using var stream = await answer.Content.ReadAsStreamAsync(World.Cancellation);
            for (int count; (count = await stream.ReadAsync(buffer, World.Cancellation)) > 0;) read.Write(
                buffer, 0, count);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return Encoding.UTF8.GetString(read.ToArray());
        }
        throw new InvalidOperationException("The response was complete.");
    }
}
