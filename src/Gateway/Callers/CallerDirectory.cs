using System.Collections.Frozen;
using Gateway.Configuration;
using Gateway.Limits;
using Gateway.Telemetry;

namespace Gateway.Callers;

/// <summary>All configured teams and keys, replaced as a whole when the configuration changes.</summary>
internal sealed partial class CallerDirectory : IDisposable
{
    private readonly LiveOptions<CallerOptions> _options;
    private readonly Quotas _quotas;
    private readonly UseCounters _counters;
    private readonly ILogger<CallerDirectory> _logger;
    private volatile Content _content = new(FrozenDictionary<KeyHash, KnownKey>.Empty, []);

    public CallerDirectory(
        LiveOptions<CallerOptions> options, Quotas quotas, UseCounters counters, ILogger<CallerDirectory> logger)
    {
        _counters = counters;
        _logger = logger;
        _options = options;
        _quotas = quotas;
        Prepare(options.CurrentValue)();
        options.Changing += Prepare;
    }

    public void Dispose() => _options.Changing -= Prepare;

    /// <summary>Finds a gateway key, even if it is not valid at this time.</summary>
    public KnownKey? Find(ReadOnlySpan<char> key) =>
        key.Length <= KeyHash.MaxKeyLength && _content.ByKey.TryGetValue(KeyHash.Of(key), out var known) ? known : null;

    /// <summary>Finds a gateway key by its hash, even if it is not valid at this time.</summary>
    public KnownKey? Find(KeyHash hash) => _content.ByKey.GetValueOrDefault(hash);

    /// <summary>An object for each configuration: another one after each change.</summary>
    public object Version => _content;

    /// <summary>Returns the teams with a claim rule that matches, in the order in which they are tried.</summary>
    public Team[] TeamsOf(ClaimSet claims) => Array.FindAll(_content.Teams, team => team.Claims.Match(claims));

    /// <summary>
    /// Returns a claim that the provider left out and that a rule needs, for a caller of this rule's issuer; null if
    /// there is none.
    /// </summary>
    public string? LeftOutOf(ClaimSet claims)
    {
        if (!claims.Has("_claim_names") && !claims.Has("hasgroups")) return null;
        return _content.Teams.SelectMany(team => team.Claims.All)
            .FirstOrDefault(rule => rule.IsFor(claims) && claims.LeftOut(rule.Claim))?.Claim;
    }

    /// <summary>Returns why no team has the caller: each claim of a rule, and the teams that need it.</summary>
    public IEnumerable<UnmatchedRule> WhyUnmatched(ClaimSet claims) =>
        from team in _content.Teams
        from rule in team.Claims.All
        group team.Name by (rule.Claim, Why: rule.WhyNot(claims)) into needed
        let teams = needed.Distinct().ToList()
        select new UnmatchedRule(needed.Key.Claim, needed.Key.Why, teams, teams.Count);

    // Creates the new content. The returned action puts it in force, and cannot fail.
    private Action Prepare(CallerOptions options)
    {
        // A key that is still configured keeps its known sources.
        var before = _content.ByKey;
        var byKey = new Dictionary<KeyHash, KnownKey>();
        var teams = new List<Team>();
        var used = new Dictionary<(string Holder, string Policy), Quota>();
        foreach (var (name, team) in options.Teams.OrderBy(team => team.Value.Order))
        {
            // Cache keys contain the account, and configuration may name it in any case.
            var account = team.Account.ToLowerInvariant();
            var id = name.ToLowerInvariant();
            var loaded = new Team(
                name, account, new WorkflowRules(team.Workflows), new RouteRules(team.Routes),
                new ClaimRules(team.RulesInForce()), [.. team.QuotaNames.Select(quota => Use($"team:{id}", quota))],
                _counters.Of(name));
            teams.Add(loaded);
            foreach (var key in team.ApiKeys)
            {
                var own = key.Quota.Length > 0 ? Use($"key:{id}/{key.Id}", key.Quota) : null;
                Add(key, new Caller(key.Id, [loaded], own, _counters.Of(name, key.Id)));
            }
        }
        foreach (var key in options.Operators.ApiKeys)
        {
            Add(key, new Caller(key.Id, [], Use: _counters.Of("", key.Id), IsOperator: true));
        }
        var content = new Content(byKey.ToFrozenDictionary(), [.. teams]);
        return () =>
        {
            _quotas.Keep(used.Values);
            _content = content;
            if (!options.Teams.Values.Any(team => team.ApiKeys.Count > 0 || team.HasClaims)) Log.NoCallers(_logger);
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
            "No team has a key or a claim, so the gateway refuses every request; "
            + "the command 'keys new --team T' creates a key")]
        public static partial void NoCallers(ILogger logger);
    }
}
