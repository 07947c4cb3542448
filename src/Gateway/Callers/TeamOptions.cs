using System.Globalization;
using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>A team: its upstream account, its permissions, its quotas and its members.</summary>
internal sealed class TeamOptions
{
    /// <summary>A name under <c>Upstream:Accounts</c>. Teams on one account share cached jobs.</summary>
    public string Account { get; set; } = "default";

    /// <summary>
    /// The ids of workflows that the team may read, or prefixes that end in <c>*</c>. Default empty: the team may read
    /// nothing.
    /// </summary>
    public List<string> Workflows { get; set; } = [];

    /// <summary>
    /// The names under <c>Routes</c> that the team may use, or <c>*</c>. Default empty: the team may only read jobs.
    /// </summary>
    public List<string> Routes { get; set; } = [];

    /// <summary>One or more names under <c>Quotas</c>, separated by spaces. All of them apply.</summary>
    public string Quota { get; set; } = "standard";

    public string[] QuotaNames =>
        Quota.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public List<ApiKeyOptions> ApiKeys { get; set; } = [];

    /// <summary>
    /// The claims of members. A caller with a JWT or a session belongs to the team if it has any listed value of any
    /// listed claim.
    /// </summary>
    [NameWithoutColons("a claim whose name has a colon stands in ClaimRules: "
        + "[ { \"Claim\": \"the:name\", \"Values\": [ \"a value\" ] } ]")]
    public Dictionary<string, List<string>> Claims { get; set; } = [];

    /// <summary>
    /// Further claims of members, for names with colons, for values that stand in one text or in objects, and for
    /// rules about one issuer.
    /// </summary>
    public List<ClaimRuleOptions> ClaimRules { get; set; } = [];

    /// <summary>
    /// The issuers whose callers may belong to the team by claims, of those in <c>Authentication</c>. Default empty:
    /// all. Required with <c>Authentication:Jwt:Others</c>, unless each rule names its issuer.
    /// </summary>
    public List<string> Issuers { get; set; } = [];

    /// <summary>
    /// The order of the team for callers in several teams. Such a caller acts for the first team that may read the
    /// workflow: the lowest order first, then by name. Default 0.
    /// </summary>
    public int Order { get; set; }

    /// <summary>Whether any rule is about claims.</summary>
    public bool HasClaims => Claims.Count + ClaimRules.Count > 0;

    private bool IsBoundToIssuers =>
        Issuers.Count > 0 || (Claims.Count == 0 && ClaimRules.TrueForAll(rule => rule.Issuer.Length > 0));

    /// <summary>All rules about claims.</summary>
    public IEnumerable<ClaimRule> RulesInForce()
    {
        string[] issuers = [.. Issuers.Select(AuthenticationOptions.IssuerOf)];
        return Claims.Select(claim => ClaimRule.Of(claim.Key, claim.Value) with { Issuers = issuers })
            .Concat(ClaimRules.Select(rule => rule.ToRule(issuers)));
    }

    /// <summary>Checks all teams together, because they refer to other sections and must not share a key.</summary>
    public static void Check(
        ConfigurationErrors errors, CallerOptions options, AuthenticationOptions authentication,
        Func<string, bool> isAccount, Func<string, bool> isRoute, Dictionary<KeyHash, string> keyOf)
    {
        foreach (var (name, team) in options.Teams)
        {
            var path = $"Teams:{name}";
            errors.Unless(isAccount(team.Account), $"{path}:Account",
                "must be a name under Upstream:Accounts");
            CheckQuotas(errors, options, $"{path}:Quota", team.QuotaNames);
            for (var i = 0; i < team.Workflows.Count; i++)
            {
                errors.Unless(WorkflowRules.IsRule(team.Workflows[i]), $"{path}:Workflows:{i}",
                    "must be a workflow id or a prefix ending in *");
            }
            for (var i = 0; i < team.Routes.Count; i++)
            {
                errors.Unless(team.Routes[i] == RouteRules.All || isRoute(team.Routes[i]), $"{path}:Routes:{i}",
                    "must be a name under Routes, or *");
            }
            team.CheckClaims(errors, path, authentication);
            for (var i = 0; i < team.ApiKeys.Count; i++)
            {
                team.ApiKeys[i].Check(errors, $"{path}:ApiKeys:{i}", keyOf);
                var own = team.ApiKeys[i].Quota;
                if (own.Length > 0) CheckQuotas(errors, options, $"{path}:ApiKeys:{i}:Quota", [own]);
            }
        }
    }

    /// <summary>Adds a warning for each team without members, each expired key and each unused quota.</summary>
    public static void Warn(
        ConfigurationErrors warnings, CallerOptions options, AuthenticationOptions authentication, DateTimeOffset now)
    {
        foreach (var (name, team) in options.Teams)
        {
            var path = $"Teams:{name}";
            warnings.Unless(team.ApiKeys.Count > 0 || team.HasClaims, path,
                "has neither ApiKeys nor Claims, so nobody belongs to the team");
            warnings.Unless(!team.HasClaims || authentication.HasProvider,
                $"{path}:{(team.Claims.Count > 0 ? "Claims" : "ClaimRules")}",
                "nobody can present a claim, because Authentication names no Authority");
            if (authentication.Jwt.Others.Count == 0) team.CheckBound(warnings, path, authentication);
            warnings.Unless(team.Workflows.Count + team.Routes.Count > 0, path,
                "has neither Workflows nor Routes, so the team may read nothing");
            WarnOfExpired(warnings, $"{path}:ApiKeys", team.ApiKeys, now);
        }
        WarnOfExpired(warnings, "Operators:ApiKeys", options.Operators.ApiKeys, now);
        var used = options.Teams.Values
            .SelectMany(team => team.QuotaNames.Concat(team.ApiKeys.Select(key => key.Quota)))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        // The default quota is configured from the beginning.
        foreach (var name in options.Quotas.Keys.Where(name => name != new TeamOptions().Quota))
        {
            warnings.Unless(used.Contains(name), $"Quotas:{name}", "no team and no key uses this quota");
        }
    }

    private void CheckClaims(ConfigurationErrors errors, string path, AuthenticationOptions authentication)
    {
        foreach (var (claim, values) in Claims)
        {
            var fine = values is { Count: > 0 } && values.All(value => !string.IsNullOrWhiteSpace(value));
            errors.Unless(fine, $"{path}:Claims:{claim}", "must list at least one value, and no empty one");
        }
        for (var i = 0; i < ClaimRules.Count; i++) ClaimRules[i].Check(errors, $"{path}:ClaimRules:{i}", CheckIssuer);
        for (var i = 0; i < Issuers.Count; i++) CheckIssuer($"{path}:Issuers:{i}", Issuers[i]);
        if (authentication.Jwt.Others.Count > 0) CheckBound(errors, path, authentication);

        void CheckIssuer(string key, string issuer) => errors.Unless(
            authentication.Issuers.Contains(AuthenticationOptions.IssuerOf(issuer ?? "")), key,
            $"must be an Authority of Authentication: {string.Join(", ", authentication.Issuers)}");
    }

    // Two providers may give groups of the same name to different people.
    private void CheckBound(ConfigurationErrors errors, string path, AuthenticationOptions authentication) =>
        errors.Unless(!HasClaims || IsBoundToIssuers || authentication.Issuers.Count < 2, $"{path}:Issuers",
            "is missing: Authentication names several issuers, and a claim of one must not count for another: "
                + string.Join(", ", authentication.Issuers));

    private static void WarnOfExpired(
        ConfigurationErrors warnings, string path, List<ApiKeyOptions> keys, DateTimeOffset now)
    {
        for (var i = 0; i < keys.Count; i++)
        {
            warnings.Unless(keys[i].Validity.At(now) != Refusal.Expired, $"{path}:{i}", "the key has expired");
        }
    }

    private static void CheckQuotas(
        ConfigurationErrors errors, CallerOptions options, string path, string[] names)
    {
        errors.Unless(names.Length > 0, path, "must name a quota");
        var areDistinct = names.Distinct(StringComparer.OrdinalIgnoreCase).Count() == names.Length;
        errors.Unless(areDistinct, path, "names a quota twice");
        errors.Unless(names.All(options.Quotas.ContainsKey), path,
            $"must name quotas under Quotas: {string.Join(", ", options.Quotas.Keys.Order(StringComparer.Ordinal))}");
    }
}

internal sealed class ApiKeyOptions
{
    private static readonly string[] Times = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd"];

    /// <summary>The name of the key in logs and metrics.</summary>
    public string Id { get; set; } = "";

    /// <summary>The SHA-256 of the whole key, 64 hexadecimal digits: <c>printf %s "$KEY" | sha256sum</c>.</summary>
    public string Sha256 { get; set; } = "";

    /// <summary>
    /// The time from which the key is valid. Default null: the key is valid at once. A time without an offset is UTC.
    /// </summary>
    public string? NotBefore { get; set; }

    /// <summary>
    /// The time from which the key is refused. Default null: the key does not expire. A time without an offset is UTC.
    /// </summary>
    public string? ExpiresAt { get; set; }

    /// <summary>
    /// A name under <c>Quotas</c> that applies to this key alone, beside its team's quotas. Default empty: none.
    /// </summary>
    public string Quota { get; set; } = "";

    public KeyValidity Validity => new(TimeOf(NotBefore), TimeOf(ExpiresAt));

    public void Check(ConfigurationErrors errors, string path, Dictionary<KeyHash, string> keyOf)
    {
        errors.Unless(Id.Length is > 0 and <= 64 && Id.All(c => c is > ' ' and <= '~'), $"{path}:Id",
            "must name the key in 1 to 64 visible ASCII characters");
        CheckTime(errors, $"{path}:NotBefore", NotBefore);
        CheckTime(errors, $"{path}:ExpiresAt", ExpiresAt);
        errors.Unless(!(Validity.ExpiresAt <= Validity.NotBefore), $"{path}:ExpiresAt", "must be later than NotBefore");
        if (!KeyHash.TryParse(Sha256, out var hash))
        {
            errors.Add($"{path}:Sha256", "must be the SHA-256 of the whole key, 64 hexadecimal digits");
        }
        else if (!keyOf.TryAdd(hash.Value, path))
        {
            errors.Add($"{path}:Sha256", $"is the same key as {keyOf[hash.Value]}");
        }
    }

    private static void CheckTime(ConfigurationErrors errors, string path, string? text) =>
        errors.Unless(string.IsNullOrWhiteSpace(text) || TimeOf(text) is not null, path,
            "must be a date and time such as 2027-01-31T00:00:00Z (RFC 3339)");

    private static DateTimeOffset? TimeOf(string? text) => DateTimeOffset.TryParseExact(
        text?.Trim(), Times, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
}
