using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Configuration;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.RequestPath;

/// <summary>Who may purge, on which port, and by which scopes.</summary>
public sealed class OperatorTests
{
    [Theory]
    [InlineData(null, 401, "/problems/unauthenticated")]
    [InlineData("wrong", 401, "/problems/unauthenticated")]
    [InlineData(World.MappingKey, 403, "/problems/operator-required")]
    [InlineData(World.SurveyKey, 403, "/problems/operator-required")]
    public async Task A_request_without_an_operator_key_purges_nothing(string? key, int status, string type)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await Purging.IsHitAsync(world.Gateway, "finished-1");
        using var client = key is null ? world.Gateway.Client() : world.Gateway.Client(("X-Api-Key", key));

        foreach (var scope in (string[])["", "default", "default/survey-1", "default/survey-1/finished-1",
            "default/survey-1/a;b"])
        {
            using var answer = await client.DeleteAsync(Purging.Path(scope), World.Cancellation);
            Assert.Equal((status, type), ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
            Assert.Equal(status == 401, answer.Headers.WwwAuthenticate.Count > 0);
        }
        Assert.True(await Purging.IsHitAsync(world.Gateway, "finished-1"));
    }

    [Theory]
    [InlineData("X-Api-Key", Purging.OperatorKey)]
    [InlineData("Authorization", Purging.OperatorKey)]
    [InlineData("Authorization", "Bearer " + Purging.OperatorKey)]
    public async Task An_operator_key_is_accepted_in_each_header_form_and_reads_no_jobs(string header, string value)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await Purging.IsHitAsync(world.Gateway, "finished-1");
        using var client = world.Gateway.Client((header, value));

        foreach (var path in (string[])["v0/workflows/survey-1/jobs/finished-1",
            "v0/workflows/survey-1/jobs/finished-1/events", "v0/events?job=survey-1/finished-1",
            "v0/jobs?job=survey-1/finished-1"])
        {
            using var job = await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
            Assert.Equal(HttpStatusCode.Unauthorized, job.StatusCode);
        }
        using var purge = await client.DeleteAsync(Purging.Path(""), World.Cancellation);

        Assert.Equal(HttpStatusCode.OK, purge.StatusCode);
        Assert.True(purge.Headers.CacheControl?.NoStore);
        Assert.Equal(
            """{"purged":"*","soft":false,"found":true,"removed":{"redis":0,"memory":1},"otherNodes":"none"}""",
            await purge.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Contains(world.Gateway.Log.All, line =>
            line.Contains("Operator operator-test purged *", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_operator_key_is_refused_before_its_validity_begins()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Operators:ApiKeys:0:NotBefore", DateTimeOffset.UtcNow.AddMinutes(10)
                .ToString("O"))]);
        using var before = await Purging.PurgeAsync(world.Gateway, "default");
        world.Clock!.Advance(TimeSpan.FromMinutes(11));

        using var after = await Purging.PurgeAsync(world.Gateway, "default");

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (before.StatusCode, after.StatusCode));
    }

    [Fact]
    public async Task An_operator_key_is_refused_after_its_expiry()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Operators:ApiKeys:0:ExpiresAt", DateTimeOffset.UtcNow.AddMinutes(10)
                .ToString("O"))]);
        using var before = await Purging.PurgeAsync(world.Gateway, "default");
        world.Clock!.Advance(TimeSpan.FromMinutes(11));

        using var after = await Purging.PurgeAsync(world.Gateway, "default");

        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, after.StatusCode);
        Assert.Contains("expired", after.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/admin/cache/a%2Fb")]
    [InlineData("/admin/cache/default/a*")]
    [InlineData("/admin/cache/default/w%20x")]
    [InlineData("/admin/cache/default/w/a;b")]
    [InlineData("/admin/cache/default/w/%C3%A9")]
    // The server removes dot segments, and the remaining path would be a wider scope than intended.
    [InlineData("/admin/cache/default/survey-2/.")]
    [InlineData("/admin/cache/default/survey-1/..")]
    [InlineData("/admin/cache/default/survey-1/%2e%2e")]
    [InlineData("/admin/cache/default/..")]
    [InlineData("/admin/cache/default/.")]
    [InlineData("/admin/cache/..")]
    [InlineData("/admin/cache/../cache")]
    // An empty variable in a script would also widen the scope.
    [InlineData("/admin/cache/")]
    [InlineData("/admin/cache//")]
    [InlineData("/admin/cache//survey-1")]
    [InlineData("/admin/cache/default/")]
    [InlineData("/admin/cache/default//")]
    [InlineData("/admin/cache/default//finished-1")]
    [InlineData("/admin/cache/default/survey-1/")]
    public async Task An_ambiguous_scope_purges_nothing(string target)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await Purging.IsHitAsync(world.Gateway, "finished-1");

        var answer = await DeleteAsync(world, target);

        Assert.Matches("^HTTP/1.1 40[04] ", answer);
        Assert.True(await Purging.IsHitAsync(world.Gateway, "finished-1"), "The job was purged.");
    }

    [Theory]
    [InlineData("/admin/cache/default/survey-1/finished%2D1")]
    [InlineData("/ADMIN/cache/Default?Soft=false")]
    public async Task Equivalent_forms_of_a_scope_are_accepted(string target)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await Purging.IsHitAsync(world.Gateway, "finished-1");
        Assert.StartsWith("HTTP/1.1 200 ", await DeleteAsync(world, target), StringComparison.Ordinal);
        Assert.False(await Purging.IsHitAsync(world.Gateway, "finished-1"));
    }

    [Theory]
    [InlineData("maybe")]
    [InlineData("")]
    [InlineData("true&soft=false")]
    [InlineData("true&sotf=true")]
    public async Task A_purge_that_is_neither_soft_nor_not_purges_nothing(string soft)
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await Purging.IsHitAsync(world.Gateway, "finished-1");
        using var answer = await Purging.PurgeAsync(world.Gateway, $"default?soft={soft}");
        Assert.Equal((400, "/problems/bad-request"),
            ((int)answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
        Assert.True(await Purging.IsHitAsync(world.Gateway, "finished-1"));
    }

    [Fact]
    public async Task A_purge_of_an_account_that_is_not_configured_is_404_and_of_an_unknown_job_says_so()
    {
        await using var world = await World.StartAsync(Purging.Operator);
        using var unknown = await Purging.PurgeAsync(world.Gateway, "nobody/survey-1");
        using var nothing = await Purging.PurgeAsync(world.Gateway, "default/survey-1/finished-1");
        Assert.Equal((404, "/problems/account-not-configured"),
            ((int)unknown.StatusCode, await BoundTests.ProblemTypeAsync(unknown)));
        Assert.Contains("'nobody'", await unknown.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
        Assert.Contains("\"found\":false", await nothing.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_cannot_belong_to_an_operator_and_a_team()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(world.Settings)
            .AddInMemoryCollection(Purging.Operator.Select(
            setting => KeyValuePair.Create(setting.Key, setting.Key.EndsWith("Sha256", StringComparison.Ordinal)
                ? World.Sha256(World.MappingKey).ToUpperInvariant() : setting.Value))).Build();

        var wrong = Assert.Throws<OptionsValidationException>(
            () => LiveConfiguration<GatewayOptions>.Read(configuration));

        Assert.Contains("Operators:ApiKeys:0:Sha256: is the same key as Teams:mapping:ApiKeys:0", wrong.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Operators_can_use_only_the_management_port_if_one_is_configured()
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, Purging.Operator);
        var port = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Management__Port"] = $"{port}";
        await using var gateway = await GatewayProcess.StartAsync(environment);
        var management = new Uri($"http://127.0.0.1:{port}/");

        foreach (var key in (string[])["", World.MappingKey, Purging.OperatorKey])
        {
            Assert.Equal((404, "/problems/not-found"),
                await DeleteAsync(gateway.Address, key, spoof: management.Authority));
        }
        Assert.Equal((401, "/problems/unauthenticated"), await DeleteAsync(management, ""));
        Assert.Equal((403, "/problems/operator-required"), await DeleteAsync(management, World.MappingKey));
        Assert.Equal((200, ""), await DeleteAsync(management, Purging.OperatorKey));
    }

    private static async Task<(int, string)> DeleteAsync(Uri address, string key, string? spoof = null)
    {
        using var client = new HttpClient(new Canary.Handler()) { BaseAddress = address };
        using var request = new HttpRequestMessage(HttpMethod.Delete, Purging.Path("default"));
        if (key.Length > 0) request.Headers.Add("X-Api-Key", key);
        if (spoof is not null) request.Headers.Host = spoof;
        using var answer = await client.SendAsync(request, World.Cancellation);
        return ((int)answer.StatusCode, answer.IsSuccessStatusCode ? "" : await BoundTests.ProblemTypeAsync(answer));
    }

    // HttpClient would normalise the path.
    private static async Task<string> DeleteAsync(World world, string target)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(world.Gateway.Address.Host, world.Gateway.Address.Port, World.Cancellation);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"DELETE {target} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {Purging.OperatorKey}\r\nConnection: close\r\n\r\n"),
            World.Cancellation);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync(World.Cancellation);
    }
}
