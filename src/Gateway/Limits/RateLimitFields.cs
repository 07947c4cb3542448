using System.Globalization;

namespace Gateway.Limits;

/// <summary>
/// The <c>RateLimit</c> and <c>RateLimit-Policy</c> fields of draft-ietf-httpapi-ratelimit-headers-11. Only this class
/// knows the syntax, because the draft may change.
/// </summary>
internal static class RateLimitFields
{
    /// <summary>q: the permits of a window; w: the window in seconds.</summary>
    public static string Policy(string name, QuotaOptions options) => string.Create(CultureInfo.InvariantCulture,
        $"\"{name}\";q={options.Requests};w={Seconds(options.Window)}");

    /// <summary>r: the remaining permits; t: the seconds until there are more.</summary>
    public static string Limit(Quota quota)
    {
        var (left, wait) = quota.Standing;
        var seconds = Seconds(wait > quota.Tick ? wait : quota.Tick);
        return string.Create(
            CultureInfo.InvariantCulture, stackalloc char[128], $"\"{quota.Policy}\";r={left};t={seconds}");
    }

    /// <summary>Adds both fields, with an item for each quota that applies to the request.</summary>
    public static void Write(IHeaderDictionary headers, Quota[] quotas)
    {
        headers["RateLimit-Policy"] =
            quotas is [var only] ? only.PolicyField : string.Join(", ", quotas.Select(quota => quota.PolicyField));
        headers["RateLimit"] = quotas is [var one] ? Limit(one) : string.Join(", ", quotas.Select(Limit));
    }

    /// <summary>Whole seconds, rounded up and at least 1.</summary>
    public static int Seconds(TimeSpan time) => Math.Max(1, (int)Math.Ceiling(time.TotalSeconds));
}
