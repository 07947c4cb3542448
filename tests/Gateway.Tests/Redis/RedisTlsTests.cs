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
        var port = ChildProcess.FreePort();
        Assert.SkipUnless(RedisServer.IsOnPath("redis-server"),
            "This test needs redis-server, which is not on the PATH.");
        await using var redis = new ChildProcess("redis-server",
        [
            "--port", "0", "--tls-port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--tls-cert-file", server.Certificate, "--tls-key-file", server.Key,
            "--tls-ca-cert-file", authority.Path, "--tls-auth-clients", "yes",
        ]);
        await redis.UntilAsync(
            () => Task.FromResult(redis.Output.Contains("Ready to accept", StringComparison.Ordinal)));

        await using var world = await World.StartAsync([.. World.DefaultAccount,
            ("ConnectionStrings:Redis", $"rediss://localhost:{port}"),
            ("Redis:CertificateAuthority", trusts ? authority.Path : ""),
            ("Redis:ClientCertificate", showsItsCertificate ? client.Certificate : ""),
            ("Redis:ClientKey", showsItsCertificate ? client.Key : "")]);

        using var http = world.Gateway.Client();
        var health = await http.GetStringAsync(new Uri("health/ready", UriKind.Relative), World.Cancellation);
        Assert.Equal(isConnected ? "Healthy" : "Degraded\nRedis is away; this node uses its memory only", health);
    }
}
