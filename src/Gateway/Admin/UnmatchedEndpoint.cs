using Gateway.Callers;

namespace Gateway.Admin;

/// <summary>
/// <c>GET /admin/callers/unmatched</c>: the last callers of all nodes that no team has, which claims they brought, and
/// what teams need, for operators.
/// </summary>
internal sealed class UnmatchedEndpoint(OperatorGate gate, UnmatchedCallers callers, SharedUnmatched shared)
{
    public static void Map(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<UnmatchedEndpoint>();
        app.MapGet("/admin/callers/unmatched", endpoint.AnswerAsync).ExcludeFromDescription();
    }

    private Task AnswerAsync(HttpContext http) =>
        gate.AnswerAsync(http, "read-unmatched", "*",
            async _ => await shared.ReadAsync() is { } all ? Report("cluster", all) : Report("node", callers.All));

    private static JsonAnswer Report(string scope, IReadOnlyList<UnmatchedCaller> callers) => new(new
    {
        scope,
        callers = callers.Select(caller => new
        {
            caller = caller.Subject,
            issuer = caller.Issuer,
            first_at = caller.FirstAt.UtcDateTime,
            last_at = caller.LastAt.UtcDateTime,
            refusals = caller.Refusals,
            claims = caller.Claims.Select(claim => new { name = claim.Name, kind = claim.Kind }),
            needed = caller.Why.Select(
                rule => new { claim = rule.Claim, why = rule.Reason, teams = rule.Teams, of = rule.Count }),
        }),
    });
}
