using Gateway.Configuration;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Configuration;

/// <summary>Warnings about a configuration that is in force.</summary>
[Trait("Kind", "Unit")]
public sealed class WarningTests
{
    [Fact]
    public void A_configuration_that_is_not_odd_causes_no_warning() => Assert.Empty(WarningsOf());

    [Theory]
    [InlineData("Teams:b: has neither ApiKeys nor Claims", "Teams:b:Workflows:0", "*")]
    [InlineData("Teams:a:Claims: nobody can present a claim", "Teams:a:Claims:groups:0", "secret-group")]
    [InlineData("Teams:a: has neither Workflows nor Routes", "Teams:a:Workflows:0", null)]
    [InlineData("Teams:a:ApiKeys:0: the key has expired", "Teams:a:ApiKeys:0:ExpiresAt", "2020-01-01")]
    [InlineData("Quotas:spare: no team and no key uses this quota", "Quotas:spare:Requests", "5")]
    [InlineData("Upstream:Accounts:spare: no team uses this account",
        "Upstream:Accounts:spare:Credential", "a-secret-credential")]
    [InlineData("Routes:scenes: no team may use this route", "Routes:scenes:Path", "/v0/scenes/{id}")]
    [InlineData("Jobs:MemoryBytes: is more memory than the process may use", "Jobs:MemoryBytes", "1099511627776")]
    [InlineData("Jobs:BytesUnderWay: is more memory than the process may use", "Jobs:BytesUnderWay", "1099511627776")]
    public void An_odd_setting_is_one_warning_that_names_its_key_and_no_value(string warning, string key, string? value)
    {
        var line = Assert.Single(WarningsOf((key, value)));
        Assert.StartsWith($"The configuration is odd: {warning}", line, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", line, StringComparison.Ordinal);
    }

    [Fact]
    public void An_expired_key_of_an_operator_is_a_warning() => Assert.Equal(
        ["The configuration is odd: Operators:ApiKeys:0: the key has expired"],
        WarningsOf(("Operators:ApiKeys:0:Id", "o"), ("Operators:ApiKeys:0:Sha256", new string('b', 64)),
            ("Operators:ApiKeys:0:ExpiresAt", "2020-01-01")));

    [Fact]
    public void A_quota_a_route_and_claims_that_are_used_cause_no_warning() => Assert.Empty(WarningsOf(
        ("Quotas:spare:Requests", "5"), ("Teams:a:ApiKeys:0:Quota", "Spare"),
        ("Routes:scenes:Path", "/v0/scenes/{id}"), ("Teams:a:Routes:0", "Scenes"),
        ("Teams:a:Claims:groups:0", "mapping"), ("Authentication:Jwt:Authority", "https://provider.example"),
        ("Authentication:Jwt:Audience", "gateway")));

    [Theory]
    [InlineData("redis:6379", 1)]
    [InlineData("", 1)]
    [InlineData("redis:6379,ssl=true", 0)]
    [InlineData("rediss://redis:6379", 0)]
    public void Certificates_of_Redis_without_TLS_are_a_warning(string address, int warnings)
    {
        using var authority = new PrivateAuthority();
        var lines = WarningsOf(("Redis:CertificateAuthority", authority.Path), ("ConnectionStrings:Redis", address));
        Assert.Equal(warnings, lines.Count(
            line => line.Contains("ConnectionStrings:Redis: has neither ssl=true", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("Redis:Prefix", "other:")]
    [InlineData("Routes:r:Query:0", "page")]
    [InlineData("Upstream:OpenApiDocument", "")]
    [InlineData("Jobs:MemoryBytes", "2000000")]
    [InlineData("Contract:ServerUrl", "https://jobs.example.com")]
    [InlineData("Management:Port", "9090")]
    [InlineData("Server:MaxConnections", "100")]
    [InlineData("Authentication:ClockSkew", "00:00:10")]
    [InlineData("Authentication:Oidc:Scopes:0", "openid")]
    [InlineData("ForwardedHeaders:KnownProxies:0", "10.0.0.1")]
    [InlineData("PathBase", "/gateway")]
    [InlineData("Https:Redirect", "false")]
    [InlineData("urls", "http://*:8081")]
    [InlineData("Kestrel:EndpointDefaults:Protocols", "Http1")]
    public void A_change_that_needs_a_restart_is_a_warning_until_it_is_undone(string key, string value)
    {
        var (configuration, lines) = Open(("Routes:r:Path", "/v0/r"), ("Teams:a:Routes:0", "r"));
        using var live = new LiveConfiguration<GatewayOptions>(configuration, lines);

        configuration[key] = value;
        configuration.Reload();
        configuration.Reload();

        string[] twice = [$"{key} has changed. The change applies after a restart."];
        Assert.Equal([.. twice, .. twice], lines.Warnings);

        configuration[key] = null;
        configuration.Reload();

        Assert.Equal(2, lines.Warnings.Count);
    }

    [Theory]
    [InlineData("Contract:Public", "false")]
    [InlineData("Authentication:FailedAttempts", "5")]
    [InlineData("Authentication:Oidc:LoginsPerMinute", "5")]
    [InlineData("Jobs:RunningLifetime", "00:00:05")]
    [InlineData("Cors:AllowedOrigins:0", "https://app.example.com")]
    public void A_change_that_applies_at_once_is_no_warning(string key, string value)
    {
        var (configuration, lines) = Open();
        using var live = new LiveConfiguration<GatewayOptions>(configuration, lines);

        configuration[key] = value;
        configuration.Reload();

        Assert.Empty(lines.Warnings);
    }

    private static List<string> WarningsOf(params (string Key, string? Value)[] settings)
    {
        var (configuration, lines) = Open(settings);
        using var live = new LiveConfiguration<GatewayOptions>(configuration, lines);
        var atStart = lines.Warnings.ToList();
        configuration.Reload();
        Assert.Equal([.. atStart, .. atStart], lines.Warnings);
        return atStart;
    }

    private static (IConfigurationRoot Configuration, Lines Lines) Open(params (string Key, string? Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            ["Upstream:Accounts:default:Credential"] = "a-secret-credential",
            ["Quotas:standard:Requests"] = "600",
            ["Teams:a:Workflows:0"] = "*",
            ["Teams:a:ApiKeys:0:Id"] = "a",
            ["Teams:a:ApiKeys:0:Sha256"] = new string('a', 64),
        };
        foreach (var (key, value) in settings)
        {
            if (value is null) all.Remove(key);
            else all[key] = value;
        }
        return (new ConfigurationBuilder().AddInMemoryCollection(all).Build(), new Lines());
    }

    private sealed class Lines : ILogger<LiveConfiguration<GatewayOptions>>
    {
        public List<string> Warnings { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            Assert.True(logLevel <= LogLevel.Warning, formatter(state, exception));
            if (logLevel == LogLevel.Warning) Warnings.Add(formatter(state, exception));
        }
    }
}
