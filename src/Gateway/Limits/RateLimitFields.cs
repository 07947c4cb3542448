using System.Globalization;

namespace Gateway.Limits;

/// <summary>
/// The <c>RateLimit</c> and <c>RateLimit-Policy</c> fields of draft-ietf-httpapi-ratelimit-headers-11. The draft still
/// moves: this is the only place that knows its syntax.
/// </summary>
internal static class RateLimitFields
{
    /// <summary>q: permits a window; w: the window in seconds.</summary>
    public static string Policy(string name, QuotaOptions options) => string.Create(CultureInfo.InvariantCulture,
        $"\"{name}\";q={options.Requests};w={Seconds(options.Window)}");

    /// <summary>r: permits left now; t: seconds until there are more.</summary>
    public static string Limit(TeamQuota quota) => string.Create(CultureInfo.InvariantCulture,
        $"\"{quota.Policy}\";r={quota.Remaining};t={Seconds(quota.Tick)}");

    /// <summary>Adds both fields, as they stand now.</summary>
    public static void Write(IHeaderDictionary headers, TeamQuota quota)
    {
        headers["RateLimit-Policy"] = quota.PolicyField;
        headers["RateLimit"] = Limit(quota);
    }

    /// <summary>Whole seconds, rounded up and at least 1.</summary>
    public static int Seconds(TimeSpan time) => Math.Max(1, (int)Math.Ceiling(time.TotalSeconds));
}
