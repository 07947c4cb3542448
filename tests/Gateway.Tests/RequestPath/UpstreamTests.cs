using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Tests.Infrastructure;
using Simulator;

namespace Gateway.Tests.RequestPath;

public sealed class UpstreamTests
{
    [Theory]
    [InlineData("bad", HttpStatusCode.BadRequest, "/problems/upstream-bad-request")]
    [InlineData("forbidden", HttpStatusCode.Forbidden, "/problems/upstream-forbidden")]
    [InlineData("missing", HttpStatusCode.NotFound, "/problems/job-not-found")]
    public async Task A_refusal_of_the_upstream_keeps_its_status_and_error_object(
        string job, HttpStatusCode status, string type)
    {
        await using var world = await World.StartAsync();

        using var answer = await world.GetAsync(job);

        Assert.Equal(status, answer.StatusCode);
        var problem = await BoundTests.ProblemAsync(answer);
        Assert.Equal(type, problem.GetProperty("type").GetString());
        Assert.NotEmpty(problem.GetProperty("error").GetProperty("code").GetString()!);
        Assert.Contains($"fwd-status={(int)status}", JobTests.CacheStatus(answer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, HttpStatusCode.ServiceUnavailable, "/problems/upstream-credential-refused", 1)]
    [InlineData(500, HttpStatusCode.BadGateway, "/problems/upstream-failed", 1)]
    [InlineData(502, HttpStatusCode.BadGateway, "/problems/upstream-failed", 3)]
    [InlineData(503, HttpStatusCode.ServiceUnavailable, "/problems/upstream-unavailable", 3)]
    [InlineData(504, HttpStatusCode.GatewayTimeout, "/problems/upstream-timeout", 3)]
    [InlineData(408, HttpStatusCode.GatewayTimeout, "/problems/upstream-timeout", 1)]
    [InlineData(302, HttpStatusCode.BadGateway, "/problems/upstream-invalid", 1)]
    [InlineData(418, HttpStatusCode.BadGateway, "/problems/upstream-invalid", 1)]
    public async Task Other_upstream_statuses_become_problems_of_the_gateway(
        int upstreamStatus, HttpStatusCode status, string type, int calls)
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = upstreamStatus });

        using var answer = await world.GetAsync("finished-1");

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(type, await BoundTests.ProblemTypeAsync(answer));
        Assert.Equal(status == HttpStatusCode.ServiceUnavailable, answer.Headers.RetryAfter is not null);
        Assert.Equal(calls, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData(410, "/problems/upstream-gone")]
    [InlineData(451, "/problems/upstream-legal")]
    public async Task A_410_or_451_is_passed_on_and_cached_as_long_as_a_404(int upstreamStatus,
        string type)
    {
        await using var world = await World.StopClockAsync();
        using var running = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = upstreamStatus });
        world.Upstream.Ledger.Clear();

        foreach (var job in (string[])["run-300", "finished-1"])
        {
            for (var i = 0; i < 3; i++)
            {
                using var answer = await world.GetAsync(job);
                Assert.Equal(upstreamStatus, (int)answer.StatusCode);
                var problem = await BoundTests.ProblemAsync(answer);
                Assert.Equal(type, problem.GetProperty("type").GetString());
                Assert.NotEmpty(problem.GetProperty("error").GetProperty("code").GetString()!);
                Assert.Null(answer.Headers.RetryAfter);
            }
            Assert.Equal(1, world.Upstream.Ledger.CallsFor(job));
        }
        world.Clock.Advance(TimeSpan.FromSeconds(1));
        world.Upstream.Faults.Clear();
        using var back = await world.GetAsync("run-300");
        Assert.Equal(HttpStatusCode.OK, back.StatusCode);
    }

    [Fact]
    public async Task A_429_of_the_upstream_is_503_with_the_upstreams_Retry_After()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 429, RetryAfter = "17" });

        using var answer = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(17), answer.Headers.RetryAfter!.Delta);
        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData(nameof(FaultKind.Html), "not-a-job")]
    [InlineData(nameof(FaultKind.Truncate), "not-a-job")]
    [InlineData(nameof(FaultKind.Cut), "cut-short")]
    [InlineData(nameof(FaultKind.WrongId), "wrong-id")]
    [InlineData(nameof(FaultKind.WrongWorkflow), "wrong-workflow-id")]
    [InlineData(nameof(FaultKind.Huge), "too-large")]
    [InlineData(nameof(FaultKind.EchoCredential), "credential-echoed")]
    public async Task A_200_that_is_not_the_job_is_502_and_never_stored(string kind, string reason)
    {
        await using var world = await World.StopClockAsync();
        world.Upstream.Faults.Add(new Fault { Kind = Enum.Parse<FaultKind>(kind), Times = 1 });

        using var refused = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        using var next = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.BadGateway, refused.StatusCode);
        var problem = await BoundTests.ProblemAsync(refused);
        Assert.Equal("/problems/upstream-invalid", problem.GetProperty("type").GetString());
        Assert.False(problem.TryGetProperty("error", out _));
        Assert.Contains($"detail={reason}", JobTests.CacheStatus(refused), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task An_answer_for_another_job_is_served_without_verification()
    {
        await using var world = await World.StartAsync(("Jobs:VerifyIds", "false"));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.WrongId });
        using var answer = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(410)]
    [InlineData(451)]
    public async Task An_error_that_echoes_the_credential_is_sent_without_its_error_object(int status)
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.EchoCredential, Status = status });

        using var answer = await world.GetAsync("finished-1");

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.False((await BoundTests.ProblemAsync(answer)).TryGetProperty("error", out _));
    }

    [Theory]
    [InlineData("{{\"status\":\"running\",\"note\":\"{0}\"}}")]
    [InlineData("{{\"status\":\"running\",\"{0}\":1}}")]
    public async Task An_escaped_or_encoded_echo_of_the_credential_is_detected(string body)
    {
        await using var world = await World.StartAsync();
        var escaped = string.Concat(Canary.Secret.Select(c => $"\\u{(int)c:x4}"));
        var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{{\"token\":\"{Canary.Secret}\"}}"));
        string[] echoes =
        [
            Canary.Secret, escaped, encoded, Uri.EscapeDataString(Canary.Secret), "\\ud800" + escaped,
            escaped.Replace("\\", "\\\\", StringComparison.Ordinal),
        ];
        foreach (var (i, echo) in echoes.Index())
        {
            world.Upstream.Faults.Clear();
            world.Upstream.Faults.Add(
                new Fault
                {
                    Kind = FaultKind.Status,
                    Status = 200,
                    Body = string.Format(System.Globalization.CultureInfo.InvariantCulture, body, echo)
                });
            using var answer = await world.GetAsync($"any-{i}");
            Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_reset_connection_is_retried()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Reset, Times = 2 });
        using var answer = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(3, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task An_unreachable_upstream_is_502()
    {
        await using var world = await World.StartAsync(
            ("Upstream:BaseAddress", $"http://127.0.0.1:{ChildProcess.FreePort()}"));
        using var answer = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("/problems/upstream-failed", await BoundTests.ProblemTypeAsync(answer));
    }

    [Fact]
    public async Task An_upstream_that_hangs_is_504_after_the_timeout()
    {
        await using var world = await World.StartAsync(("Upstream:Timeout", "00:00:00.5"));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Hang });
        using var answer = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Equal("Gateway; fwd=uri-miss; detail=upstream-timeout", JobTests.CacheStatus(answer));
    }

    [Fact]
    public async Task A_node_that_is_paused_during_each_fetch_gives_up()
    {
        await using var world = await World.StopClockAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Hang });
        var asked = world.GetAsync("finished-1");
        for (var fetch = 1; fetch <= 3; fetch++)
        {
            await Wait.UntilAsync(
                TimeSpan.FromSeconds(10), () => world.Upstream.Ledger.Total == fetch, "the next fetch begins");
            world.Clock!.Advance(TimeSpan.FromMinutes(1));
        }

        using var answer = await asked.WaitAsync(TimeSpan.FromSeconds(10), World.Cancellation);

        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Equal(3, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_failing_upstream_opens_the_circuit()
    {
        await using var world = await World.StartAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        string status = "";
        for (var i = 0; i < 30; i++)
        {
            using var answer = await world.GetAsync($"finished-{i}");
            status = JobTests.CacheStatus(answer);
        }
        Assert.Contains("detail=circuit-open", status, StringComparison.Ordinal);
        Assert.InRange(world.Upstream.Ledger.Total, 10, 19);
    }

    [Theory]
    [InlineData(500, null, 1)]
    [InlineData(429, "7", 7)]
    [InlineData(503, "86400", 300)]
    public async Task A_failed_fill_is_not_repeated_during_its_back_off(
        int upstreamStatus, string? retryAfter, int backOff)
    {
        await using var world = await World.StopClockAsync();
        world.Upstream.Faults.Add(
            new Fault { Kind = FaultKind.Status, Status = upstreamStatus, RetryAfter = retryAfter });
        using var failed = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromSeconds(backOff - 0.1));
        using var waiting = await world.GetAsync("finished-1");
        Assert.Equal(1, world.Upstream.Ledger.Total);
        Assert.Equal(failed.StatusCode, waiting.StatusCode);

        world.Clock.Advance(TimeSpan.FromSeconds(0.1));
        using var again = await world.GetAsync("finished-1");

        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_refused_job_is_fetched_again_at_once()
    {
        await using var world = await World.StopClockAsync();
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 403, Times = 1 });
        using var refused = await world.GetAsync("finished-1");
        using var allowed = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
    }

    [Theory]
    [InlineData(nameof(FaultKind.Status))]
    [InlineData(nameof(FaultKind.Reset))]
    public async Task The_last_snapshot_is_served_as_stale_while_the_upstream_fails(string kind)
    {
        await using var world = await World.WithoutGatewayAsync(clock: new(DateTimeOffset.UtcNow));
        var node = world.AddGateway();
        using var fresh = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(62));
        world.Upstream.Faults.Add(new Fault { Kind = Enum.Parse<FaultKind>(kind), Status = 500 });

        using var stale = await PumpAsync(world, node, "run-300");
        world.Clock.Advance(TimeSpan.FromMinutes(10));
        using var tooOld = await PumpAsync(world, node, "run-300");
        world.Upstream.Faults.Clear();
        world.Clock.Advance(TimeSpan.FromSeconds(10));
        using var recovered = await PumpAsync(world, node, "run-300");

        Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        Assert.Equal(fresh.Headers.ETag, stale.Headers.ETag);
        Assert.Matches("^Gateway; hit; ttl=-6[0-9]; detail=upstream-(500|unreachable)$", JobTests.CacheStatus(stale));
        Assert.InRange(stale.Headers.Age!.Value.TotalSeconds, 62, 70);
        Assert.True(stale.Headers.CacheControl!.NoCache);
        Assert.Equal(HttpStatusCode.BadGateway, tooOld.StatusCode);
        Assert.Equal(HttpStatusCode.OK, recovered.StatusCode);
    }

    [Fact]
    public async Task A_403_or_an_invalid_answer_is_not_replaced_by_a_stale_snapshot()
    {
        await using var world = await World.StopClockAsync();
        using var fresh = await world.GetAsync("run-300");
        world.Clock!.Advance(TimeSpan.FromSeconds(3));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 403, Times = 1 });
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Html, Times = 1 });
        using var forbidden = await world.GetAsync("run-300");
        using var html = await world.GetAsync("run-300");
        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
        Assert.Equal(HttpStatusCode.BadGateway, html.StatusCode);
    }

    [Fact]
    public async Task Only_allowed_request_headers_reach_the_upstream()
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync("finished-1", headers:
            [("Cookie", "session=1"), ("X-Forwarded-For", "10.0.0.1"), ("X-Custom", "1"), ("Accept-Language", "en")]);
        var call = Assert.Single(world.Upstream.Ledger.Calls);
        Assert.Empty(call.RequestHeaders.Keys.Except(
            ["Host", "Accept", "Accept-Encoding", "User-Agent", "traceparent"], StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_replaced_credential_file_is_used_from_the_next_call()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Canary.Credential + "\n", World.Cancellation);
            await using var world = await World.StartAsync(
                ("Upstream:Accounts:default:Credential", ""), ("Upstream:Accounts:default:CredentialFile", file));
            using var before = await world.GetAsync("finished-1");
            world.Upstream.Credentials.Accept("the-next-credential");
            world.Upstream.Credentials.Retire(Canary.Credential);
            await File.WriteAllTextAsync(file, "the-next-credential", World.Cancellation);
            using var after = await world.GetAsync("finished-2");
            await File.WriteAllTextAsync(file, "", World.Cancellation);

            using var torn = await world.GetAsync("finished-3");

            Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.OK],
                [before.StatusCode, after.StatusCode, torn.StatusCode]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_connection_that_takes_too_long_is_retried_and_then_502()
    {
        // The listener's backlog is full, so the system accepts no further connections.
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(0);
        var waiting = Enumerable.Range(0, 4).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp)).ToArray();
        var connecting = waiting.Select(socket => socket.ConnectAsync(listener.LocalEndPoint!)).ToArray();
        await Task.Delay(200, World.Cancellation);
        await using var world = await World.StartAsync(("Upstream:BaseAddress", $"http://{listener.LocalEndPoint}"));

        using var answer = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("detail=upstream-unreachable", JobTests.CacheStatus(answer), StringComparison.Ordinal);
        Assert.Contains(connecting, attempt => !attempt.IsCompleted);
        foreach (var socket in waiting) socket.Dispose();
    }

    [Fact]
    public async Task HTTP_2_is_used_if_the_upstream_offers_it_and_a_silent_connection_is_replaced()
    {
        using var key = RSA.Create(2048);
        var certificate = new CertificateRequest(
            "CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        certificate.CertificateExtensions.Add(names.Build());
        using var signed = certificate.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using var upstream = await SimulatedUpstream.StartAsync(
            credentials: [Canary.Credential], https: signed, cancellation: World.Cancellation);
        await using var line = new RedisProxy(upstream.Address.Port);
        await using var world = await World.WithoutGatewayAsync(
            clock: null, ("Upstream:BaseAddress", $"https://127.0.0.1:{line.Port}/"));
        var trusted = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(trusted, signed.ExportCertificatePem(), World.Cancellation);
            var environment = world.Environment();
            environment["SSL_CERT_FILE"] = trusted;
            await using var gateway = await GatewayProcess.StartAsync(environment);
            using var client = gateway.Client();

            using var answer = await client.GetAsync(
                new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("HTTP/2", Assert.Single(upstream.Ledger.Calls).Protocol);

            line.ForgetConnections();
            using var next = await client.GetAsync(
                new Uri("v0/workflows/survey-1/jobs/finished-2", UriKind.Relative), World.Cancellation);
            Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        }
        finally
        {
            File.Delete(trusted);
        }
    }

    // Retries wait on the stopped clock, so the clock is advanced until the answer arrives.
    private static async Task<HttpResponseMessage> PumpAsync(World world, GatewayNode node, string job)
    {
        var answer = World.GetAsync(node, job);
        while (await Task.WhenAny(answer, Task.Delay(20, World.Cancellation)) != answer)
            world.Clock!.Advance(TimeSpan.FromMilliseconds(100));
        return await answer;
    }
}
