using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Redis;

/// <summary>Redis over TLS, with certificates of a private authority on both sides.</summary>
public sealed class RedisTlsTests
{
    [Theory]
    [InlineData(true, true, true)]
    [InlineData(false, true, false)]
    [InlineData(true, false, false)]
    public async Task A_node_trusts_the_configured_authority_and_shows_its_certificate(
        bool trusts, bool showsItsCertificate, bool isConnected)
    {
        using var authority = new PrivateAuthority();
        var server = authority.Issue("server");
        var client = authority.Issue("client");
        await using var redis = await StartAsync(authority, server);

        await using var world = await World.StartAsync([.. World.DefaultAccount,
            ("ConnectionStrings:Redis", $"rediss://localhost:{redis.Port}"),
            ("Redis:CertificateAuthority", trusts ? authority.Path : ""),
            ("Redis:ClientCertificate", showsItsCertificate ? client.Certificate : ""),
            ("Redis:ClientKey", showsItsCertificate ? client.Key : "")]);

        using var http = world.Gateway.Client();
        var health = await http.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
        Assert.Equal(isConnected ? "Healthy" : "Degraded\nRedis is away; this node uses its memory only", health);
        var option = trusts ? "Redis:ClientCertificate" : "Redis:CertificateAuthority";
        Assert.Equal(!isConnected, world.Gateway.Log.All.Any(
            line => line.StartsWith("Warning Gateway.Redis.RedisConnection: Redis is away", StringComparison.Ordinal)
                && line.Contains(option, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_renewed_certificate_is_used_for_the_next_connection()
    {
        using var authority = new PrivateAuthority();
        await using var redis = await StartAsync(authority, authority.Issue("server"));
        var client = authority.Issue("client", validDays: -1);
        await using var world = await World.StartAsync([.. World.DefaultAccount,
            ("ConnectionStrings:Redis", $"rediss://localhost:{redis.Port}"),
            ("Redis:CertificateAuthority", authority.Path),
            ("Redis:ClientCertificate", client.Certificate), ("Redis:ClientKey", client.Key)]);
        using var http = world.Gateway.Client();
        Assert.NotEqual("Healthy", await HealthAsync());

        authority.Issue("client");

        await redis.Process.UntilAsync(async () => await HealthAsync() == "Healthy");

        Task<string> HealthAsync() =>
            http.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
    }

    private static async Task<TlsRedis> StartAsync(
        PrivateAuthority authority, (string Certificate, string Key) server)
    {
        var port = ChildProcess.FreePort();
        Assert.SkipUnless(RedisServer.IsOnPath("redis-server"),
            "This test needs redis-server, which is not on the PATH.");
        var redis = new ChildProcess("redis-server",
        [
            "--port", "0", "--tls-port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--tls-cert-file", server.Certificate, "--tls-key-file", server.Key,
            "--tls-ca-cert-file", authority.Path, "--tls-auth-clients", "yes",
        ]);
        await redis.UntilAsync(
            () => Task.FromResult(redis.Output.Contains("Ready to accept", StringComparison.Ordinal)));
        return new TlsRedis(redis, port);
    }

    private sealed record TlsRedis(ChildProcess Process, int Port) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Process.DisposeAsync();
    }
}
