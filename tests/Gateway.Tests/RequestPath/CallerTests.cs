using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Callers;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

public sealed class CallerTests
{
    [Theory]
    [InlineData("X-Api-Key", World.MappingKey)]
    [InlineData("Authorization", World.MappingKey)]
    [InlineData("Authorization", "Bearer " + World.MappingKey)]
    [InlineData("Authorization", "bearer " + World.MappingKey)]
    public async Task A_key_is_accepted_in_each_header_form(string header, string value)
    {
        await using var world = await World.StartAsync();
        using var client = world.Gateway.Client((header, value));
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/w/jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData(null, null, "Bearer realm=\"gateway\"")]
    [InlineData("X-Api-Key", "wrong",
        "Bearer realm=\"gateway\", error=\"invalid_token\", error_description=\"The key is not known\"")]
    [InlineData("Authorization", "Basic " + World.MappingKey,
        "Bearer realm=\"gateway\", error=\"invalid_token\", error_description=\"The key is not known\"")]
    [InlineData("Authorization", World.MappingKey
        + "x", "Bearer realm=\"gateway\", error=\"invalid_token\", error_description=\"The key is not known\"")]
    public async Task A_request_without_a_valid_key_is_401_with_a_challenge(
        string? header, string? value, string challenge)
    {
        await using var world = await World.StartAsync();
        using var client = header is null ? world.Gateway.Client() : world.Gateway.Client((header, value!));

        using var answer = await client.GetAsync(
            new Uri("v0/workflows/w/jobs/finished-1", UriKind.Relative), World.Cancellation);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal(challenge, answer.Headers.WwwAuthenticate.ToString());
        Assert.Equal("/problems/unauthenticated", await BoundTests.ProblemTypeAsync(answer));
        Assert.False(answer.Headers.Contains("RateLimit"));
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task Two_credentials_are_400()
    {
        await using var world = await World.StartAsync();
        using var answer = await world.GetAsync("finished-1", headers: ("Authorization", World.SurveyKey));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("/problems/ambiguous-credentials", await BoundTests.ProblemTypeAsync(answer));
    }

    [Theory]
    [InlineData("k1,k2", "/problems/ambiguous-credentials")]
    [InlineData("k\u00011", "/problems/malformed-credential")]
    [InlineData("k\u00e9", "/problems/malformed-credential")]
    public async Task A_malformed_credential_is_400_with_its_own_problem_type(string key, string type)
    {
        await using var world = await World.StartAsync();
        foreach (var (header, scheme) in (
            (string, string)[])[("X-Api-Key", ""), ("Authorization", ""), ("Authorization", "Bearer ")])
        {
            var answer = await RawAsync(world, $"{header}: {scheme}{key}");
            Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
            Assert.Contains("WWW-Authenticate: Bearer realm=\"gateway\", error=\"invalid_request\"", answer,
                StringComparison.Ordinal);
            Assert.Contains($"\"{type}\"", answer, StringComparison.Ordinal);
        }
        Assert.Equal(0, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_key_is_refused_after_its_expiry()
    {
        await using var world = await World.StopClockAsync(
            ("Teams:mapping:ApiKeys:0:ExpiresAt", DateTimeOffset.UtcNow.AddMinutes(10).ToString("O")));
        using var before = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromMinutes(11));

        using var after = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, after.StatusCode);
        Assert.Contains("expired", after.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_is_refused_before_its_validity_begins()
    {
        await using var world = await World.StopClockAsync(
            ("Teams:mapping:ApiKeys:0:NotBefore", DateTimeOffset.UtcNow.AddMinutes(10).ToString("O")),
            ("Teams:mapping:ApiKeys:0:ExpiresAt", DateTimeOffset.UtcNow.AddMinutes(30).ToString("O")));
        using var before = await world.GetAsync("finished-1");
        world.Clock!.Advance(TimeSpan.FromMinutes(11));

        using var after = await world.GetAsync("finished-1");

        Assert.Equal(HttpStatusCode.Unauthorized, before.StatusCode);
        Assert.Contains("not valid yet", before.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
    }

    [Fact]
    public async Task A_key_is_valid_from_NotBefore_inclusive_to_ExpiresAt_exclusive()
    {
        await using var world = await World.StopClockAsync();
        var now = world.Clock!.GetUtcNow();
        world.Gateway.Reconfigure(
            ("Teams:mapping:ApiKeys:0:NotBefore", now.AddMinutes(1).ToString("O")),
            ("Teams:mapping:ApiKeys:0:ExpiresAt", now.AddMinutes(2).ToString("O")));
        world.Clock.Advance(TimeSpan.FromMinutes(1));
        using var first = await world.GetAsync("finished-1");
        world.Clock.Advance(TimeSpan.FromMinutes(1));
        using var last = await world.GetAsync("finished-1");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (first.StatusCode, last.StatusCode));
    }

    [Fact]
    public async Task A_mistyped_gateway_key_is_reported_differently_from_an_unknown_one()
    {
        await using var world = await World.StartAsync();
        var key = GatewayKey.Create();
        using var unknown = await world.GetAsync("finished-1", key: key);
        using var mistyped = await world.GetAsync("finished-1", key: key[..^1]);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized),
            (unknown.StatusCode, mistyped.StatusCode));
        Assert.Contains("not known", unknown.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.Contains("incomplete or mistyped", mistyped.Headers.WwwAuthenticate.ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_with_the_gateways_prefix_may_come_from_elsewhere()
    {
        await using var world = await World.StartAsync(
            ("Teams:mapping:ApiKeys:0:Sha256", World.Sha256("gwk_elsewhere")));
        using var answer = await world.GetAsync("finished-1", key: "gwk_elsewhere");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_key_hash_may_be_upper_case()
    {
        await using var world = await World.StartAsync(
            ("Teams:mapping:ApiKeys:0:Sha256", World.Sha256(World.MappingKey).ToUpperInvariant()));
        using var answer = await world.GetAsync("finished-1");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Two_keys_of_a_team_are_valid_at_the_same_time()
    {
        await using var world = await World.StartAsync(
            ("Teams:mapping:ApiKeys:1:Id", "next"), ("Teams:mapping:ApiKeys:1:Sha256", World.Sha256("next-key")));
        using var old = await world.GetAsync("finished-1");
        using var next = await world.GetAsync("finished-1", key: "next-key");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (old.StatusCode, next.StatusCode));
    }

    [Fact]
    public async Task Permission_is_checked_before_the_cache_and_the_upstream()
    {
        await using var world = await World.StartAsync();
        using var cold = await world.GetAsync("finished-1", "harbour", World.SurveyKey);
        Assert.Equal(0, world.Upstream.Ledger.Total);
        using var filled = await world.GetAsync("finished-1", "harbour");

        using var cached = await world.GetAsync("finished-1", "harbour", World.SurveyKey);

        Assert.Equal(HttpStatusCode.OK, filled.StatusCode);
        foreach (var answer in (HttpResponseMessage[])[cold, cached])
        {
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.Equal("/problems/workflow-forbidden", await BoundTests.ProblemTypeAsync(answer));
            Assert.True(answer.Headers.Contains("RateLimit"));
        }
    }

    [Fact]
    public async Task Teams_share_cached_jobs_only_within_one_account()
    {
        await using var world = await World.StartAsync(
            ("Upstream:Accounts:other:Credential", "other-credential"),
            ("Teams:apart:Account", "other"),
            ("Teams:apart:Workflows:0", "*"),
            ("Teams:apart:ApiKeys:0:Id", "apart"),
            ("Teams:apart:ApiKeys:0:Sha256", World.Sha256("apart-key")));
        world.Upstream.Credentials.Accept("other-credential");
        using var mapping = await world.GetAsync("finished-1");
        using var survey = await world.GetAsync("finished-1", key: World.SurveyKey);
        Assert.Equal(1, world.Upstream.Ledger.Total);

        using var apart = await world.GetAsync("finished-1", key: "apart-key");

        Assert.Equal(HttpStatusCode.OK, apart.StatusCode);
        Assert.Contains("hit", JobTests.CacheStatus(survey), StringComparison.Ordinal);
        Assert.Contains("fwd=uri-miss", JobTests.CacheStatus(apart), StringComparison.Ordinal);
        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task A_valid_configuration_change_applies_at_once_and_an_invalid_one_is_ignored()
    {
        await using var world = await World.StartAsync();
        using var before = await world.GetAsync("finished-1");
        world.Gateway.Reconfigure(("Teams:mapping:Workflows:0", "other-*"));
        using var moved = await world.GetAsync("finished-1");
        world.Gateway.Reconfigure(("Teams:mapping:Workflows:0", "*"), ("Jobs:RunningLifetime", "soon"));
        using var wrong = await world.GetAsync("finished-1");
        world.Gateway.Reconfigure(
            ("Jobs:RunningLifetime", "00:00:02"), ("Teams:mapping:ApiKeys:0:Sha256", World.Sha256("new-key")));

        using var revoked = await world.GetAsync("finished-1");

        Assert.Equal(
            [HttpStatusCode.OK, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Unauthorized],
            [before.StatusCode, moved.StatusCode, wrong.StatusCode, revoked.StatusCode]);
        Assert.Contains(world.Gateway.Log.All, line => line.Contains(
            "Jobs:RunningLifetime: cannot be converted to", StringComparison.Ordinal));
    }

    // HttpClient does not send such values.
    private static async Task<string> RawAsync(World world, string header)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(world.Gateway.Address.Host, world.Gateway.Address.Port, World.Cancellation);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(
            $"GET /v0/workflows/w/jobs/finished-1 HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n"),
            World.Cancellation);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(World.Cancellation);
    }
}
