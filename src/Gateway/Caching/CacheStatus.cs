using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>
/// The <c>Cache-Status</c> field (RFC 9211), which says how the cache handled a request. It holds no cache keys.
/// </summary>
internal static class CacheStatus
{
    public const string Name = "Gateway";

    /// <param name="isShared">Whether the caller shared a fetch with others.</param>
    public static StringValues Of(Lookup lookup, bool isShared, DateTimeOffset now) => lookup switch
    {
        Lookup.Hit hit => HitFields.Of(hit.Found, now).CacheStatus,
        Lookup.Stale stale => $"{HitFields.Of(stale.Found, now).CacheStatus}; detail={stale.Why.Verdict.Detail}",
        Lookup.Fetched fetched => Forwarded(fetched.IsRefresh, fetched.Status, isShared,
            isStored: fetched.IsStored && fetched.Verdict.Lifetime > TimeSpan.Zero, fetched.Verdict.Detail),
        Lookup.Failed failed => Forwarded(
            failed.IsRefresh, failed.Why.Answer.Status, isShared, isStored: false, failed.Why.Verdict.Detail),
        _ => throw new ArgumentOutOfRangeException(nameof(lookup)),
    };

    private static string Forwarded(bool isRefresh, int status, bool isShared, bool isStored, string detail)
    {
        var answered = status == 0 ? "" : $"; fwd-status={status}";
        var stored = isStored ? "; stored" : "";
        var shared = isShared ? "; collapsed" : "";
        var why = detail.Length == 0 ? "" : $"; detail={detail}";
        return $"{Name}; fwd={(isRefresh ? "stale" : "uri-miss")}{answered}{stored}{shared}{why}";
    }
}
