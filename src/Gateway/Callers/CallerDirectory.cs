using System.Collections.Frozen;
using Gateway.Configuration;
using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>Everyone who may call, replaced as a whole when the configuration changes.</summary>
internal sealed partial class CallerDirectory : IDisposable
{
    private readonly LiveOptions<CallerOptions> _options;
    private readonly Quotas _quotas;
    private readonly ILogger<CallerDirectory> _logger;
    private volatile Content _content = new(FrozenDictionary<KeyHash, KnownKey>.Empty, []);

    public CallerDirectory(LiveOptions<CallerOptions> options, Quotas quotas, ILogger<CallerDirectory> logger)
    {
        _logger = logger;
        _options = options;
        _quotas = quotas;
        Prepare(options.CurrentValue)();
        options.Changing += Prepare;
    }

    public void Dispose() => _options.Changing -= Prepare;

    /// <summary>The gateway key that this is, whether or not it counts now.</summary>
    public KnownKey? Find(ReadOnlySpan<char> key) =>
        key.Length <= KeyHash.MaxKeyLength && _content.ByKey.TryGetValue(KeyHash.Of(key), out var known) ? known : null;

    /// <summary>The teams that claims lead to, in the order in which they are tried.</summary>
    public Team[] TeamsOf(ClaimSet claims) => Array.FindAll(_content.Teams, team => team.Claims.Match(claims));

    // Everything is made before anything is replaced.
    private Action Prepare(CallerOptions options)
    {
        // A key that stays keeps what is known of it.
        var before = _content.ByKey;
        var byKey = new Dictionary<KeyHash, KnownKey>();
        var teams = new List<Team>();
        var used = new Dictionary<(string Holder, string Policy), Quota>();
        foreach (var (name, team) in options.Teams.OrderBy(team => team.Value.Order))
        {
            // Jobs are filed under the account, and configuration names it in any case.
            var account = team.Account.ToLowerInvariant();
            var loaded = new Team(name, account, new WorkflowRules(team.Workflows), new RouteRules(team.Routes), new ClaimRules(team.Claims),
                [.. team.QuotaNames.Select(quota => Use($"team:{name.ToLowerInvariant()}", quota))]);
            teams.Add(loaded);
            foreach (var key in team.ApiKeys)
            {
                Add(key, new Caller(key.Id, [loaded], key.Quota.Length > 0 ? Use($"key:{name.ToLowerInvariant()}/{key.Id}", key.Quota) : null));
            }
        }
        foreach (var key in options.Operators.ApiKeys) Add(key, new Caller(key.Id, [], IsOperator: true));
        var content = new Content(byKey.ToFrozenDictionary(), [.. teams]);
        return () =>
        {
            _quotas.Keep(used.Values);
            _content = content;
            if (!options.Teams.Values.Any(team => team.ApiKeys.Count + team.Claims.Count > 0)) Log.Nobody(_logger);
        };

        Quota Use(string holder, string policy) => used.TryGetValue((holder, policy), out var quota)
            ? quota : used[(holder, policy)] = _quotas.Prepare(holder, policy, options.Quotas[policy]);

        void Add(ApiKeyOptions key, Caller caller)
        {
            if (!KeyHash.TryParse(key.Sha256, out var hash)) return;
            byKey[hash.Value] = new KnownKey(caller, key.Validity, before.GetValueOrDefault(hash.Value));
        }
    }

    private sealed record Content(FrozenDictionary<KeyHash, KnownKey> ByKey, Team[] Teams);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "No team has a key or a claim, so every request will be refused; the command 'keys new --team T' makes a key")]
        public static partial void Nobody(ILogger logger);
    }
}
