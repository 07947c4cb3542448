using Microsoft.Extensions.Primitives;

namespace Gateway.Jobs;

/// <summary>The <c>Cache-Status</c> field (RFC 9211): how this gateway came by an answer. It holds no keys.</summary>
internal static class CacheStatus
{
    public const string Name = "Gateway";

    public static StringValues Of(Lookup lookup, bool collapsed, DateTimeOffset now) => lookup.Origin switch
    {
        Origin.Hit => HitFields.Of(lookup.Snapshot!, now).CacheStatus,
        Origin.Stale => $"{HitFields.Of(lookup.Snapshot!, now).CacheStatus}; detail={lookup.Verdict.Detail}",
        _ => Forwarded(lookup, collapsed),
    };

    private static string Forwarded(Lookup lookup, bool collapsed)
    {
        var status = lookup.Answer.Status == 0 ? "" : $"; fwd-status={lookup.Answer.Status}";
        var stored = lookup.IsKept && lookup.Verdict.Lifetime > TimeSpan.Zero ? "; stored" : "";
        var shared = collapsed ? "; collapsed" : "";
        var detail = lookup.Verdict.Detail.Length == 0 ? "" : $"; detail={lookup.Verdict.Detail}";
        return $"{Name}; fwd={(lookup.Refreshed ? "stale" : "uri-miss")}{status}{stored}{shared}{detail}";
    }
}
