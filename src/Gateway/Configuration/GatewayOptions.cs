using Gateway.Callers;
using Gateway.Contract;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Operations;
using Gateway.Redis;
using Gateway.Routes;
using Gateway.Upstream;

namespace Gateway.Configuration;

/// <summary>The whole configuration, in the shape of <c>appsettings.json</c>.</summary>
internal sealed class GatewayOptions
{
    public ConnectionStringOptions ConnectionStrings { get; set; } = new();

    public UpstreamOptions Upstream { get; set; } = new();

    /// <summary>Who may call, by team name.</summary>
    public Dictionary<string, TeamOptions> Teams { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>How often a team may call, by quota name.</summary>
    public Dictionary<string, QuotaOptions> Quotas { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Other operations of the upstream that are let through, by a name that teams refer to.</summary>
    public Dictionary<string, ForwardedRouteOptions> Routes { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    public JobsOptions Jobs { get; set; } = new();

    public RedisOptions Redis { get; set; } = new();

    public AuthenticationOptions Authentication { get; set; } = new();

    public CorsOptions Cors { get; set; } = new();

    public ForwardedOptions ForwardedHeaders { get; set; } = new();

    /// <summary>What all paths begin with, as <c>/gateway</c>, where a proxy passes that on. Empty, the default: nothing.</summary>
    public string PathBase { get; set; } = "";

    public HttpsOptions Https { get; set; } = new();

    public OperatorOptions Operators { get; set; } = new();

    public ContractOptions Contract { get; set; } = new();

    public ServerOptions Server { get; set; } = new();

    public ManagementOptions Management { get; set; } = new();

    /// <summary>Adds a line for each value that is out of range or contradicts another.</summary>
    public void Check(Mistakes mistakes)
    {
        ConnectionStrings.Check(mistakes);
        Upstream.Check(mistakes, accountsInUse: Teams.Values.Select(team => team.Account));
        ForwardedRouteOptions.Check(mistakes, Routes);
        Jobs.Check(mistakes);
        Server.Check(mistakes);
        Management.Check(mistakes);
        Contract.Check(mistakes);
        Authentication.Check(mistakes);
        Cors.Check(mistakes);
        ForwardedHeaders.Check(mistakes);
        Https.Check(mistakes);
        mistakes.Unless(PathBase.Length == 0 || (PathBase[0] == '/' && PathBase[^1] != '/' && Uri.IsWellFormedUriString(PathBase, UriKind.Relative)),
            "PathBase", "must begin with '/', and not end with one");
        foreach (var (name, quota) in Quotas) quota.Check(mistakes, name);
        Redis.Check(mistakes);
        var keyOf = new Dictionary<KeyHash, string>();
        TeamOptions.Check(mistakes, this, keyOf);
        Operators.Check(mistakes, keyOf);
    }
}

internal sealed class ConnectionStringOptions
{
    /// <summary>A StackExchange.Redis connection string. Empty, the default: memory only, one node.</summary>
    public string Redis { get; set; } = "";

    public void Check(Mistakes mistakes)
    {
        if (string.IsNullOrEmpty(Redis)) return;
        try
        {
            mistakes.Unless(RedisConnection.Parse(Redis).EndPoints.Count > 0, "ConnectionStrings:Redis", "names no server");
        }
        catch (ArgumentException e)
        {
            // The message names the option that is wrong, not its value, which may be a password.
            mistakes.Add("ConnectionStrings:Redis", $"is not a StackExchange.Redis connection string: {e.Message}");
        }
    }
}
