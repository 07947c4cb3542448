using System.Reflection;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Simulator;

namespace Gateway.Tests.Commands;

/// <summary>The command <c>check --online</c> with real servers.</summary>
public sealed class OnlineCheckTests
{
    private const string RedisPassword = "do-not-print-this-redis";

    [Fact]
    public async Task Everything_that_answers_is_ok()
    {
        await using var redis = await RedisAsync("~gateway:*", "&gateway:*", "+@all");
        await using var provider = await IdentityProvider.StartedAsync();
        var (exit, lines) = await CheckAsync(UserWorld.Settings(provider, redis.Settings));
        Assert.Equal(
        [
            "ok      Upstream {upstream}", "ok      Upstream:Accounts:default: credential",
            "ok      Redis: connection", "ok      Redis: master", "ok      Redis: writes", "ok      Redis: rights",
            $"ok      Authentication:Jwt: identity provider {provider.Address}",
            $"ok      Authentication:Oidc: identity provider {provider.Address}, client {IdentityProvider.ClientId}",
        ], lines);
        Assert.Equal(0, exit);
    }

    [Fact]
    public async Task Each_provider_of_tokens_is_asked()
    {
        await using var first = await TokenIssuer.StartAsync("https://a.invalid");
        await using var second = await TokenIssuer.StartAsync("https://b.invalid/{tenantid}");
        await using var third = await TokenIssuer.StartAsync("https://c.invalid/");
        var (exit, lines) = await CheckAsync(
        [
            .. first.Settings("api"), .. second.Settings("api", "Authentication:Jwt:Others:b"),
            ("Authentication:Jwt:Others:b:Authority", "https://b.invalid/tenant"),
            .. third.Settings("api", "Authentication:Jwt:Others:c"),
        ]);
        Assert.Equal(1, exit);
        Assert.Equal(
        [
            "ok      Authentication:Jwt: identity provider https://a.invalid",
            "FAILED  Authentication:Jwt:Others:b: identity provider https://b.invalid/tenant: it publishes the issuer "
                + "https://b.invalid/{tenantid}; that is the metadata for all tenants; name the tenant in the "
                + "authority",
            "ok      Authentication:Jwt:Others:c: identity provider https://c.invalid/",
        ], lines[2..]);
    }

    [Fact]
    public async Task A_wrong_credential_fails()
    {
        var (exit, lines) = await CheckAsync(("Upstream:Accounts:default:Credential", "do-not-print-this-credential"),
            ("Upstream:Accounts:default:NextCredential", Canary.Credential));
        Assert.Equal(1, exit);
        Assert.Equal(
        [
            "ok      Upstream {upstream}",
            "FAILED  Upstream:Accounts:default: credential: the upstream answered 403: it refuses the credential; "
                + "replace it",
            "ok      Upstream:Accounts:default: next credential",
        ], lines);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("do-not-print-this-secret", "the provider answered invalid_client: ")]
    public async Task A_client_secret_is_tried_without_a_user(string secret, string problem)
    {
        await using var provider = new CertifiedProvider();
        provider.Register(new Uri("https://gateway.example.com/"));
        await provider.StartAsync();
        var settings = provider.Settings(secret.Length > 0 ? [("Authentication:Oidc:ClientSecret", secret)] : []);
        var (exit, lines) = await CheckAsync(settings);
        Assert.Equal(problem.Length > 0 ? 1 : 0, exit);
        Assert.StartsWith(
            $"{(problem.Length > 0 ? "FAILED" : "ok    ")}  Authentication:Oidc: identity provider {provider.Issuer}, "
            + $"client {CertifiedProvider.ClientId}{(problem.Length > 0 ? ": " : "")}{problem}", lines[^1],
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://upstream.invalid", "")]
    [InlineData("http://127.0.0.1:9", "Connection refused")]
    public async Task An_upstream_that_cannot_be_reached_fails_once(string address, string problem)
    {
        var (exit, lines) = await CheckAsync(("Upstream:BaseAddress", address),
            ("Upstream:Accounts:default:NextCredential", "do-not-print-this-credential"));
        Assert.Equal(1, exit);
        var line = Assert.Single(lines);
        Assert.StartsWith($"FAILED  Upstream {address}/: ", line, StringComparison.Ordinal);
        Assert.Contains(problem, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_of_an_unknown_authority_fails()
    {
        using PrivateAuthority authority = new(), other = new();
        using var https = authority.IssueForServer();
        await using var upstream = await SimulatedUpstream.StartAsync(https: https, cancellation: World.Cancellation);
        var (exit, lines) = await CheckAsync(("Upstream:BaseAddress", upstream.Address.ToString()),
            ("Upstream:CertificateAuthority", other.Path));
        Assert.Equal(1, exit);
        Assert.EndsWith("or the file of Upstream:CertificateAuthority does not hold the authority that signed it.",
            Assert.Single(lines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HSET, HMSET", "~gateway:*", "&gateway:*", "+@all", "-hset", "-hmset")]
    [InlineData("PUBLISH to gateway:*, SUBSCRIBE to gateway:*", "~gateway:*", "&other", "+@all")]
    [InlineData("SCRIPT LOAD", "~gateway:*", "&gateway:*", "+@all", "-script|load")]
    public async Task Missing_rights_in_Redis_are_named(string missing, params string[] rights)
    {
        await using var redis = await RedisAsync(rights);
        var (exit, lines) = await CheckAsync(redis.Settings);
        Assert.Equal(1, exit);
        Assert.Equal($"FAILED  Redis: rights: the user may not use {missing}; docs/redis.md lists the rights",
            lines[^1]);
    }

    [Fact]
    public async Task A_wrong_password_of_Redis_fails()
    {
        await using var redis = await RedisAsync("~*", "&*", "+@all");
        var (exit, lines) = await CheckAsync(
            ("ConnectionStrings:Redis", $"{redis.Address},user=gateway,password=do-not-print-this-either"));
        Assert.Equal(1, exit);
        Assert.Equal("FAILED  Redis: connection: the user or the password is wrong", lines[^1]);
    }

    [Fact]
    public async Task A_replica_fails()
    {
        await using var master = await RedisAsync("~*", "&*", "+@all");
        await using var replica = await RedisAsync("~*", "&*", "+@all");
        await replica.Server.CommandAsync("REPLICAOF", "127.0.0.1", master.Server.Port);
        var (exit, lines) = await CheckAsync(replica.Settings);
        Assert.Equal(1, exit);
        Assert.Equal(
            "FAILED  Redis: master: the server is a replica; name the master, or Sentinel and serviceName", lines[^1]);
    }

    [Theory]
    [InlineData("down", "its configuration or keys cannot be read: Connection refused")]
    [InlineData("other", "it publishes the issuer ")]
    public async Task A_provider_that_is_away_or_has_another_issuer_fails(string what, string problem)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        var authority = provider.Address.ToString();
        if (what == "down") await provider.StopAsync();
        else authority = authority.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
        var (exit, lines) = await CheckAsync(
            UserWorld.Settings(provider, ("Authentication:Jwt:Authority", authority)));
        Assert.Equal(1, exit);
        Assert.StartsWith($"FAILED  Authentication:Jwt: identity provider {authority}: {problem}", lines[^2],
            StringComparison.Ordinal);
    }

    [Fact]
    public void Each_documented_right_is_tried()
    {
        var commands = (string[])typeof(RedisProbe)
            .GetField("Commands", BindingFlags.NonPublic | BindingFlags.Static)!.GetValue(null)!;
        var documented = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "redis.md"))
            .Single(line => line.Contains("~gateway:*", StringComparison.Ordinal)).Trim().Split(' ')
            .Where(right => right.StartsWith('+')).Select(right => right[1..]);
        // The client uses these itself when it connects and subscribes.
        string[] ofClient =
            ["subscribe", "unsubscribe", "publish", "hello", "auth", "info", "client|setname", "client|id"];
        Assert.Equal(documented.Except(ofClient).Order(StringComparer.Ordinal),
            commands.Select(command => command.StartsWith("SCRIPT", StringComparison.Ordinal) ? "script|load"
                : command.Split(' ')[0].ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal));
    }

    private static async Task<(int Exit, string[] Lines)> CheckAsync(params (string Key, string? Value)[] settings)
    {
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount, .. settings]);
        var environment = world.Environment();
        // A world with a Redis adds an account of its own.
        const string Other = "Upstream__Accounts__t";
        foreach (var name in environment.Keys.Where(name => name.StartsWith(Other, StringComparison.Ordinal)).ToArray())
        {
            environment.Remove(name);
        }
        var (exit, output) = await ChildProcess.RunAsync(
            "dotnet", [GatewayProcess.Executable, "check", "--online"], environment);
        Assert.DoesNotContain("do-not-print-this", output, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary.Credential, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        return (exit, [.. output.Split('\n')
            .Where(line => line.StartsWith("ok ", StringComparison.Ordinal)
                || line.StartsWith("FAILED ", StringComparison.Ordinal))
            .Select(line => line.Replace($"{world.Upstream.Address}", "{upstream}", StringComparison.Ordinal))]);
    }

    private static async Task<GrantingRedis> RedisAsync(params string[] rights)
    {
        var redis = new OwnRedis();
        await redis.StartAsync();
        await redis.CommandAsync("ACL", ["SETUSER", "gateway", "on", ">" + RedisPassword, "resetchannels", .. rights]);
        return new GrantingRedis(redis);
    }

    private sealed record GrantingRedis(OwnRedis Server) : IAsyncDisposable
    {
        public string Address => Server.ConnectionString;

        public (string Key, string? Value)[] Settings =>
            [("ConnectionStrings:Redis", $"{Address},user=gateway,password={RedisPassword}")];

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }
}
