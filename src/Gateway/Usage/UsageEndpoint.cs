using System.Globalization;
using Gateway.Admin;
using Gateway.Callers;
using Gateway.Problems;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Usage;

/// <summary>
/// <c>GET /admin/usage</c>: what teams and keys have used within the last hours, on all nodes, for operators.
/// </summary>
internal sealed class UsageEndpoint(
    OperatorGate gate, UsageBook book, SharedUsage shared, IOptionsMonitor<CallerOptions> callers, TimeProvider clock)
{
    private const int DefaultHours = 24;

    // A key that expires within this time is listed.
    private static readonly TimeSpan Soon = TimeSpan.FromDays(30);

    public static void Map(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<UsageEndpoint>();
        app.MapGet("/admin/usage", endpoint.AnswerAsync).ExcludeFromDescription();
    }

    private Task AnswerAsync(HttpContext http)
    {
        var query = http.Request.Query;
        return gate.AnswerAsync(http, "read-usage", query["team"] is [{ } team] ? team : "*",
            _ => ReportAsync(query["team"], query["hours"]));
    }

    private async Task<IAnswer> ReportAsync(StringValues team, StringValues hours)
    {
        var options = callers.CurrentValue;
        if (team is not ([] or [{ } _]) || (team is [{ } name] && !options.Teams.ContainsKey(name)))
        {
            return new Problem(ProblemType.BadRequest, $"There is no team '{team}' in Teams.");
        }
        var span = DefaultHours;
        if (hours.Count > 0 && !(int.TryParse(hours, NumberStyles.None, CultureInfo.InvariantCulture, out span)
            && span is > 0 and <= UsageBook.Hours))
        {
            return new Problem(ProblemType.BadRequest, $"'hours' must be from 1 to {UsageBook.Hours}.");
        }
        var teams = team is [{ } only] ? options.Teams.Where(one => options.Teams.Comparer.Equals(one.Key, only))
            : options.Teams.AsEnumerable();
        return new JsonAnswer(await ReportAsync([.. teams], options, span));
    }

    private async Task<object> ReportAsync(
        KeyValuePair<string, TeamOptions>[] teams, CallerOptions options, int span)
    {
        // This also adds what this node has counted until now.
        await shared.SendAsync();
        var from = book.ThisHour - span + 1;
        var cluster = await shared.ReadAsync(from, UsageBook.ConfiguredNames(options));
        var figures = cluster ?? book.Read(from);
        var now = clock.GetUtcNow();
        return new
        {
            scope = cluster is null ? "node" : "cluster",
            from = TimeOf(from),
            to = now.UtcDateTime,
            teams = teams.Select(team => Report(team.Key, team.Value, figures)),
            operators = options.Operators.ApiKeys.Select(
                key => new { id = key.Id, last_use = LastUse(figures, "", key), expires_at = Expiry(key) }),
            keys_that_expire_soon =
                from owned in teams.SelectMany(team => team.Value.ApiKeys.Select(key => (Team: (string?)team.Key, key)))
                    .Concat(options.Operators.ApiKeys.Select(key => (Team: (string?)null, key)))
                where owned.key.Validity.ExpiresAt is { } expiry && expiry > now && expiry <= now + Soon
                orderby owned.key.Validity.ExpiresAt
                select new { team = owned.Team, id = owned.key.Id, expires_at = Expiry(owned.key) },
        };
    }

    private static object Report(string team, TeamOptions options, UsageFigures figures)
    {
        string[] names = [.. options.ApiKeys.Select(key => key.Id).Distinct().Append("")
            .Select(key => UseCounters.NameOf(team, key))];
        return new
        {
            team,
            total = Describe(figures, names),
            hours = ByHour(figures, names),
            keys = options.ApiKeys.Select(key => new
            {
                id = key.Id,
                last_use = LastUse(figures, team, key),
                expires_at = Expiry(key),
                total = Describe(figures, [UseCounters.NameOf(team, key.Id)]),
                hours = ByHour(figures, [UseCounters.NameOf(team, key.Id)]),
            }),
            without_key = Describe(figures, [UseCounters.NameOf(team, "")]),
        };
    }

    private static IEnumerable<object> ByHour(UsageFigures figures, string[] names) =>
        from hour in figures.Hours.OrderBy(hour => hour.Key)
        let count = Sum(hour.Value, names)
        where count != default
        select Describe(count, TimeOf(hour.Key));

    private static object Describe(UsageFigures figures, string[] names) =>
        Describe(figures.Hours.Values.Aggregate(default(UseCount), (sum, hour) => sum + Sum(hour, names)));

    private static object Describe(UseCount count, DateTime hour) => new
    {
        hour,
        requests = count.Requests,
        permits = count.Permits,
        refused = count.Refused,
        upstream_calls = count.Calls,
    };

    private static object Describe(UseCount count) => new
    {
        requests = count.Requests,
        permits = count.Permits,
        refused = count.Refused,
        upstream_calls = count.Calls,
    };

    private static UseCount Sum(Dictionary<string, UseCount> hour, string[] names) =>
        names.Aggregate(default(UseCount), (sum, name) => sum + hour.GetValueOrDefault(name));

    private static DateTime? LastUse(UsageFigures figures, string team, ApiKeyOptions key) =>
        figures.UsedAt.TryGetValue(UseCounters.NameOf(team, key.Id), out var at)
            ? DateTimeOffset.FromUnixTimeSeconds(at).UtcDateTime : null;

    private static DateTime? Expiry(ApiKeyOptions key) => key.Validity.ExpiresAt?.UtcDateTime;

    private static DateTime TimeOf(long hour) => DateTimeOffset.FromUnixTimeSeconds(hour * 3600).UtcDateTime;
}
