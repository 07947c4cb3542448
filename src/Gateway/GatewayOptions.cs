using Gateway.Callers;
using Gateway.Callers.Tokens;
using Gateway.Configuration;
using Gateway.Contract;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Outbound;
using Gateway.Redis;
using Gateway.Routes;
using Gateway.Telemetry;
using Gateway.Upstream;
using Gateway.Watching;

namespace Gateway;

/// <summary>The whole configuration, in the shape of <c>appsettings.json</c>.</summary>
internal sealed class GatewayOptions : ICheckedOptions
{
    private static readonly string[] ReadAtStart =
    [
        "Redis:Prefix", "Routes", "Upstream:OpenApiDocument", "Jobs:MemoryBytes", "Contract", "Management",
        "Server", "Authentication", "ForwardedHeaders", "PathBase", "Https", AllowedHosts.Key,
        .. ListenAddresses.Keys,
    ];

    // Parts of the sections above.
    private static readonly string[] ReadAlways =
    [
        "Contract:Public", "Contract:DriftChecksPerSecond", "Server:DrainDelay", "Authentication:FailedAttempts",
        "Authentication:Oidc:IdleLifetime", "Authentication:Oidc:AbsoluteLifetime",
        "Authentication:Oidc:LoginsPerMinute", "Authentication:Oidc:LoginsPerMinuteOfNode",
        "Authentication:Oidc:UserClaims", "Authentication:Oidc:ClientSecret", "Authentication:Oidc:ClientSecretFile",
        "Authentication:Oidc:CertificateAuthority", "Authentication:Jwt:CertificateAuthority",
    ];

    public ConnectionStringOptions ConnectionStrings { get; set; } = new();

    public UpstreamOptions Upstream { get; set; } = new();

    /// <summary>The teams of callers, by name.</summary>
    public Dictionary<string, TeamOptions> Teams { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The quotas of teams and keys, by name.</summary>
    public Dictionary<string, QuotaOptions> Quotas { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Other operations of the upstream that the gateway forwards, by name.</summary>
    public Dictionary<string, ForwardedRouteOptions> Routes { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    public JobsOptions Jobs { get; set; } = new();

    public WatchingOptions Watching { get; set; } = new();

    public RedisOptions Redis { get; set; } = new();

    public AuthenticationOptions Authentication { get; set; } = new();

    public OriginOptions Cors { get; set; } = new();

    public ForwardedOptions ForwardedHeaders { get; set; } = new();

    /// <summary>
    /// The prefix of all paths, such as <c>/gateway</c>, if a proxy does not remove it. Default empty: no prefix.
    /// </summary>
    public string PathBase { get; set; } = "";

    public HttpsOptions Https { get; set; } = new();

    public OperatorOptions Operators { get; set; } = new();

    public ContractOptions Contract { get; set; } = new();

    public ServerOptions Server { get; set; } = new();

    public ManagementOptions Management { get; set; } = new();

    public static IEnumerable<string> FrameworkSections => [.. ListenAddresses.Keys, "AllowedHosts", "Logging"];

    /// <summary>Registers the part of each feature.</summary>
    public static void AddParts(IServiceCollection services)
    {
        Add(all => all.ConnectionStrings);
        Add(all => all.Redis);
        Add(all => all.Upstream);
        Add(all => new ConfiguredNames(
            all.Teams.Count, all.Upstream.Accounts.Count, all.Routes.Count, all.Quotas.Count));
        Add(all => new AccountUse(all.Teams.Values.CountBy(team => team.Account, StringComparer.OrdinalIgnoreCase)));
        Add(all => new CallerOptions(all.Teams, all.Operators, all.Quotas));
        Add(all => all.Authentication);
        Add(all => all.Cors);
        Add(all => all.Jobs);
        Add(all => all.Watching);
        Add(all => new RoutesOptions(all.Routes));
        Add(all => new PathBaseOptions(all.PathBase));
        Add(all => all.ForwardedHeaders);
        Add(all => all.Https);
        Add(all => all.Server);
        Add(all => all.Management);
        Add(all => all.Contract);

        void Add<T>(Func<GatewayOptions, T> part) where T : class => services.AddLiveOptions(part);
    }

    public void Check(ConfigurationErrors errors)
    {
        ConnectionStrings.Check(errors);
        Upstream.Check(errors, accountsInUse: Teams.Values.Select(team => team.Account));
        ForwardedRouteOptions.Check(errors, Routes);
        Jobs.Check(errors);
        Watching.Check(errors);
        Server.Check(errors);
        Management.Check(errors);
        Contract.Check(errors);
        Authentication.Check(errors);
        Cors.Check(errors);
        ForwardedHeaders.Check(errors);
        Https.Check(errors);
        var isPath = PathBase is ['/', .., not '/'] && Uri.IsWellFormedUriString(PathBase, UriKind.Relative);
        errors.Unless(PathBase.Length == 0 || isPath, "PathBase", "must begin with '/', and not end with one");
        foreach (var (name, quota) in Quotas) quota.Check(errors, name);
        Redis.Check(errors);
        var keyOf = new Dictionary<KeyHash, string>();
        TeamOptions.Check(
            errors, new CallerOptions(Teams, Operators, Quotas), Authentication, Upstream.Accounts.ContainsKey,
            Routes.ContainsKey, keyOf);
        Operators.Check(errors, keyOf);
    }

    public static void CheckFramework(IConfiguration configuration, ConfigurationErrors errors)
    {
        ListenAddresses.Check(configuration, errors);
        AllowedHosts.Check(configuration, errors);
        EgressProxy.OfEnvironment.Check(errors);
    }

    public static bool IsReadAtStart(string key) =>
        ReadAtStart.Any(section => IsIn(section, key)) && !ReadAlways.Any(section => IsIn(section, key))
        && !JwtOptions.IsReadAlways(key);

    public void Warn(ConfigurationErrors warnings, DateTimeOffset now, long memory)
    {
        Upstream.Warn(warnings, accountsInUse: Teams.Values.Select(team => team.Account), now);
        Redis.TlsFiles().Warn(warnings, now);
        warnings.Unless(!Redis.TlsFiles().AreNamed || ConnectionStrings.UsesTls, "ConnectionStrings:Redis",
            "has neither ssl=true nor rediss://, so the certificates of Redis are not used");
        Authentication.Warn(warnings);
        TeamOptions.Warn(warnings, new CallerOptions(Teams, Operators, Quotas), Authentication, now);
        foreach (var name in Routes.Keys)
        {
            var isUsed = Teams.Values.Any(team => team.Routes.Any(
                route => route == RouteRules.All || route.Equals(name, StringComparison.OrdinalIgnoreCase)));
            warnings.Unless(isUsed, $"Routes:{name}", "no team may use this route");
        }
        Jobs.Warn(warnings, memory);
    }

    private static bool IsIn(string section, string key) =>
        key.StartsWith(section, StringComparison.OrdinalIgnoreCase)
        && (key.Length == section.Length || key[section.Length] == ':');
}
