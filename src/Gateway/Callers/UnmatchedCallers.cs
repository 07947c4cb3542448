using System.Text.Json.Serialization;
using Gateway.Telemetry;

namespace Gateway.Callers;

/// <summary>
/// Keeps and logs who was refused because no team has any of its claims: the names of the claims, and never their
/// values. Only the last callers are kept. <see cref="SharedUnmatched"/> shares them with other nodes.
/// </summary>
internal sealed partial class UnmatchedCallers : IDisposable
{
    /// <summary>The number of callers that are kept.</summary>
    public const int Most = 100;

    /// <summary>How long a caller is kept after its last refusal.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(1);

    private const int MostClaims = 200, MostTeams = 20, LinesPerSecond = 10;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(10), BetweenLooks = TimeSpan.FromSeconds(1);

    private readonly CallerDirectory _directory;
    private readonly TimeProvider _clock;
    private readonly ILogger<UnmatchedCallers> _logger;
    private readonly PerSecond<(string Issuer, string Subject)> _lines;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Issuer, string Subject), UnmatchedCaller> _callers = [];
    private long _noted;

    public UnmatchedCallers(CallerDirectory directory, TimeProvider clock, ILogger<UnmatchedCallers> logger)
    {
        (_directory, _clock, _logger) = (directory, clock, logger);
        _lines = new(whole: 1, LinesPerSecond, rest: default, clock, (_, count) => Log.Others(logger, count));
    }

    /// <summary>The number of refusals. The list changes with each.</summary>
    public long Noted => Interlocked.Read(ref _noted);

    /// <summary>The last callers of this node, the latest first.</summary>
    public IReadOnlyList<UnmatchedCaller> All
    {
        get
        {
            var from = _clock.GetUtcNow() - Kept;
            lock (_lock)
            {
                return [.. _callers.Values.Where(caller => caller.LastAt > from)
                    .OrderByDescending(caller => caller.LastAt)];
            }
        }
    }

    /// <param name="caller">A caller without a team. Keys always have one.</param>
    public void Note(Caller caller)
    {
        if (caller.Claims is not { } brought) return;
        var now = _clock.GetUtcNow();
        var key = (brought.Issuer, caller.Id);
        var known = Find(key);
        // A caller may refresh its token, and the configuration may change.
        var noted = known is not null && now - known.LookedAt < BetweenLooks ? known : Look(brought, caller, now);
        bool isLine;
        lock (_lock)
        {
            known = _callers.GetValueOrDefault(key);
            if (known is null && _callers.Count >= Most) _callers.Remove(_callers.MinBy(one => one.Value.LastAt).Key);
            isLine = known is null || now - known.LoggedAt >= BetweenLines;
            _callers[key] = noted with
            {
                Refusals = (known?.Refusals ?? 0) + 1,
                FirstAt = known?.FirstAt ?? now,
                LastAt = now,
                LoggedAt = isLine ? now : known!.LoggedAt,
            };
            _noted++;
        }
        var level = caller.LeftOut is null ? LogLevel.Information : LogLevel.Warning;
        if (!isLine || !_lines.Take(key) || !_logger.IsEnabled(level)) return;
        var claims = string.Join(", ", noted.Claims.Select(claim => claim.Name));
        var needed = string.Join("; ", noted.Why.Select(rule => rule.ToString()));
        Log.Unmatched(_logger, level, noted.Subject, noted.Issuer, claims, needed);
    }

    public void Dispose() => _lines.Dispose();

    private UnmatchedCaller? Find((string Issuer, string Subject) key)
    {
        lock (_lock) return _callers.GetValueOrDefault(key);
    }

    private UnmatchedCaller Look(ClaimSet claims, Caller caller, DateTimeOffset now) =>
        new(caller.Id, claims.Issuer,
            [.. claims.Names().Take(MostClaims).Select(
                claim => new UnmatchedClaim(LogText.Clean(claim.Name), claim.Kind))],
            [.. _directory.WhyUnmatched(claims)
            .Take(MostClaims).Select(rule => rule with { Teams = [.. rule.Teams.Take(MostTeams)] })])
        {
            LookedAt = now,
        };

    private static partial class Log
    {
        [LoggerMessage(Message = "No team has a claim of {Caller} of {Issuer}. The caller has the claims {Claims}. "
            + "Teams need: {Why}", EventName = "Unmatched")]
        public static partial void Unmatched(
            ILogger logger, LogLevel level, string caller, string issuer, string claims, string why);

        [LoggerMessage(LogLevel.Information, "{Count} more callers without a team were refused within a second")]
        public static partial void Others(ILogger logger, int count);
    }
}

/// <summary>A caller that was refused because no team has any of its claims.</summary>
/// <param name="Subject">The subject of the token or the session.</param>
/// <param name="Claims">The names of the claims, and the kind of each value.</param>
/// <param name="Why">What teams need, and why the caller does not have it.</param>
internal sealed record UnmatchedCaller(
    string Subject, string Issuer, IReadOnlyList<UnmatchedClaim> Claims, IReadOnlyList<UnmatchedRule> Why)
{
    public int Refusals { get; init; }

    public DateTimeOffset FirstAt { get; init; }

    public DateTimeOffset LastAt { get; init; }

    /// <summary>When the claims were last read.</summary>
    [JsonIgnore]
    public DateTimeOffset LookedAt { get; init; }

    [JsonIgnore]
    public DateTimeOffset LoggedAt { get; init; }
}

/// <summary>The name of a claim, and the kind of its value.</summary>
internal sealed record UnmatchedClaim(string Name, string Kind);

/// <summary>A claim that teams need, and why a caller does not have it.</summary>
/// <param name="Count">The number of teams. Not all of them need be listed.</param>
internal sealed record UnmatchedRule(
    string Claim,
    [property: JsonConverter(typeof(JsonStringEnumConverter<ClaimMismatch>))] ClaimMismatch Why,
    IReadOnlyList<string> Teams, int Count)
{
    [JsonIgnore]
    public string Reason => Why switch
    {
        ClaimMismatch.OtherIssuer => "other-issuer",
        ClaimMismatch.OtherValues => "other-values",
        ClaimMismatch.NoValues => "no-values",
        ClaimMismatch.LeftOut => "left-out",
        _ => "absent",
    };

    public override string ToString() =>
        $"{Claim} ({Reason}) for {string.Join(", ", Teams)}{(Count > Teams.Count ? ", ..." : "")}";
}
