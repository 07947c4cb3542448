using System.Collections.Frozen;
using Gateway.Limits;

namespace Gateway.Upstream;

/// <summary>The limits of the calls that all nodes together make with one account.</summary>
/// <param name="CallTime">The longest duration of a call.</param>
/// <param name="Teams">The number of teams that are configured to use the account.</param>
internal readonly record struct AccountLimits(Gcra Budget, int MaxConcurrentRequests, TimeSpan CallTime, int Teams = 1)
{
    // A team may hold at most this many times the number of places that are left free.
    private const int HeldForEachFree = 3;

    // A timer may be late. Without this slack, a node would lose the permits that are refilled meanwhile.
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(25);

    public static AccountLimits Of(AccountOptions options, TimeSpan timeout, int teams) => new(
        new Gcra(1e6 / options.RequestsPerSecond, options.Burst), options.MaxConcurrentRequests,
        timeout + TimeSpan.FromSeconds(1), teams);

    /// <summary>
    /// Whether a team may have one more call under way. The bound falls as places get short (a dynamic threshold), so
    /// that no team takes the last places, and all teams that want more than their share get the same number. A team
    /// without a call under way may take any free place. If only one team is configured to use the account, it may
    /// take all places.
    /// </summary>
    /// <param name="held">The team's calls under way.</param>
    /// <param name="free">Free places.</param>
    public bool MayTakePlace(int held, long free) =>
        free > 0 && (Teams <= 1 || held == 0 || held + 1 <= HeldForEachFree * (free - 1));

    /// <summary>
    /// Whether a poll of a watched job may go out. It leaves the bucket so full that it is full again after one
    /// interval and <see cref="Slack"/>, and leaves half of the places free. A reader who comes next finds both.
    /// </summary>
    /// <param name="fullAt">When the bucket is full again.</param>
    /// <param name="free">Free places.</param>
    public bool HasSpare(double fullAt, long free, double now) =>
        free > MaxConcurrentRequests / 2 && SpareFrom(fullAt, now) <= now;

    /// <summary>When the bucket is full enough for a poll of a watched job.</summary>
    public double SpareFrom(double fullAt, double now)
    {
        var refill = Budget.Burst * Budget.Interval;
        // A time further ahead than possible comes from another clock.
        return Math.Min(fullAt, now + refill)
            - Math.Min(Math.Min(Slack.TotalMicroseconds, refill / 2), refill - Budget.Interval);
    }

    /// <summary>The share of each of several nodes that cannot reach each other.</summary>
    public AccountLimits Share(int nodes) => this with
    {
        Budget = Budget.Share(nodes),
        MaxConcurrentRequests = Math.Max(1, MaxConcurrentRequests / nodes),
    };
}

/// <summary>The number of teams that use each account.</summary>
internal sealed class AccountUse(IEnumerable<KeyValuePair<string, int>> teams)
{
    private readonly FrozenDictionary<string, int> _teams = teams.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    public int TeamsOf(string account) => _teams.GetValueOrDefault(account);
}
