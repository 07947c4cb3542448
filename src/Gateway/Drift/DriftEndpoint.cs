using Gateway.Admin;

namespace Gateway.Drift;

/// <summary><c>GET /admin/drift</c>: the findings of this node since it started, for operators.</summary>
internal static class DriftEndpoint
{
    public static void Map(WebApplication app) =>
        OperatorGate.MapReport<DriftBook>(app, "/admin/drift", "read-drift", Report);

    private static object Report(DriftBook book) => new
    {
        @checked = book.CountOf(CheckOutcome.Checked),
        skipped = new
        {
            sampled_out = book.CountOf(CheckOutcome.SampledOut),
            too_large = book.CountOf(CheckOutcome.TooLarge),
            busy = book.CountOf(CheckOutcome.Busy),
            failed = book.CountOf(CheckOutcome.Failed),
        },
        findings = book.Seen.Select(seen => new
        {
            pointer = seen.Finding.Pointer,
            kind = seen.Finding.Kind,
            first_seen = seen.FirstSeen.UtcDateTime,
            last_seen = seen.LastSeen.UtcDateTime,
            count = seen.Count,
            last_seen_in = new { workflow = seen.LastSeenIn.Workflow, job = seen.LastSeenIn.Job },
        }),
        more = book.More,
    };
}
