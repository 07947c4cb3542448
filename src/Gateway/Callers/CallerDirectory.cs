using System.Collections.Frozen;
using Gateway.Configuration;
using Gateway.Limits;

namespace Gateway.Callers;

/// <summary>Why nobody was identified, for metrics and the challenge.</summary>
internal enum Refusal
{
    None,
    Missing,
    Ambiguous,
    Unknown,

    /// <summary>A gateway key that was cut or mistyped.</summary>
    Damaged,
    NotYetValid,
    Expired,
}

/// <summary>Everyone who may call, replaced as a whole when the configuration changes.</summary>
internal sealed partial class CallerDirectory : IDisposable
{
    private readonly LiveConfiguration _configuration;
    private readonly TimeProvider _clock;
    private readonly TeamQuotas _quotas;
    private readonly ILogger<CallerDirectory> _logger;
    private volatile FrozenDictionary<KeyHash, Caller> _byKey = FrozenDictionary<KeyHash, Caller>.Empty;

    public CallerDirectory(
        LiveConfiguration configuration, TeamQuotas quotas, TimeProvider clock, ILogger<CallerDirectory> logger)
    {
        _logger = logger;
        _configuration = configuration;
        _clock = clock;
        _quotas = quotas;
        Load(configuration.Current);
        configuration.Changed += Load;
    }

    public void Dispose() => _configuration.Changed -= Load;

    /// <summary>
    /// The caller whose credential this request carries; other kinds of credential are told apart here.
    /// </summary>
    public Caller? Identify(IHeaderDictionary headers, out Refusal refusal)
    {
        var presented = PresentedCredential.Find(headers, out var key);
        if (presented == Presented.Key && key.Length <= KeyHash.MaxKeyLength
            && _byKey.TryGetValue(KeyHash.Of(key), out var caller))
        {
            refusal = caller.Validity.At(_clock.GetUtcNow());
            return refusal == Refusal.None ? caller : null;
        }
        refusal = presented switch
        {
            Presented.Nothing => Refusal.Missing,
            Presented.Ambiguous => Refusal.Ambiguous,
            _ when GatewayKey.IsMeant(key) && !GatewayKey.IsWhole(key) => Refusal.Damaged,
            _ => Refusal.Unknown,
        };
        return null;
    }

    private void Load(GatewayOptions options)
    {
        var callers = new Dictionary<KeyHash, Caller>();
        foreach (var (name, team) in options.Teams)
        {
            // Jobs are filed under the account, and configuration names it in any case.
            var account = team.Account.ToLowerInvariant();
            var loaded = new Team(name, account, new WorkflowRules(team.Workflows),
                _quotas.For(name, team.Quota, options.Quotas[team.Quota]));
            foreach (var key in team.ApiKeys)
            {
                if (KeyHash.TryParse(key.Sha256, out var hash)) callers[hash.Value] = new Caller(key.Id, loaded, key.Validity);
            }
        }
        _quotas.Keep(options.Teams.Keys);
        _byKey = callers.ToFrozenDictionary();
        if (callers.Count == 0) Log.Nobody(_logger);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "No team has a key, so every request will be 401; the command 'keys new --team T' makes one")]
        public static partial void Nobody(ILogger logger);
    }
}
