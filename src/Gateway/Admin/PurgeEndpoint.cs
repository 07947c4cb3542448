using Gateway.Caching;
using Gateway.Callers;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Redis;
using Gateway.Upstream;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Admin;

/// <summary>
/// <c>DELETE /admin/cache[/{account}[/{workflow}[/{job}]]]</c>: removes cached jobs on all nodes, for operators. With
/// <c>?soft=true</c>, the jobs become stale: the next request fetches them, and they answer while the upstream fails.
/// </summary>
internal sealed partial class PurgeEndpoint(
    OperatorGate gate, PurgeLog log, JobChannel channel, IOptionsMonitor<UpstreamOptions> upstream,
    ILogger<PurgeEndpoint> logger)
{
    public static void Map(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<PurgeEndpoint>();
        app.MapDelete("/admin/cache/{account?}/{workflow?}/{job?}", endpoint.AnswerAsync).ExcludeFromDescription();
    }

    private Task AnswerAsync(
        HttpContext http, string? account, string? workflow, string? job, CancellationToken cancellation)
    {
        // A misspelt parameter would remove what was to become stale.
        var query = http.Request.Query;
        var other = query.Keys.FirstOrDefault(name => !name.Equals("soft", StringComparison.OrdinalIgnoreCase));
        var soft = query["soft"];
        var scope = new PurgeScope(account?.ToLowerInvariant() ?? "", workflow ?? "", job ?? "", IsTrue(soft) == true);
        return gate.AnswerAsync(http, scope.IsSoft ? "soft-purge" : "purge", scope.Target,
            caller => other is not null ? Refuse("The only parameter of a purge is 'soft'.")
                : IsTrue(soft) is null ? Refuse("'soft' is neither true nor false.")
                : PurgeAsync(http, caller, scope, cancellation));

        static Task<IAnswer> Refuse(string why) => Task.FromResult<IAnswer>(new Problem(ProblemType.BadRequest, why));
    }

    /// <returns>Null if the value is neither true nor false. Without a value, it is false.</returns>
    private static bool? IsTrue(StringValues value) => value switch
    {
        [] => false,
        [var text] when bool.TryParse(text, out var isTrue) => isTrue,
        _ => null,
    };

    private async Task<IAnswer> PurgeAsync(
        HttpContext http, Caller caller, PurgeScope scope, CancellationToken cancellation)
    {
        if (!IsClear(scope, http)) return new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
        if (scope.Account.Length > 0
            && AdminProblems.CheckAccount(scope.Account, upstream.CurrentValue) is { } unknown) return unknown;
        var kind = scope.IsSoft ? "soft-purged" : "purged";
        try
        {
            var fromMemory = await log.MarkAsync(scope);
            var isTold = await channel.PublishPurgeAsync();
            var fromRedis = await log.RemoveAsync(scope, cancellation);
            Log.Purged(logger, caller.Id, kind, scope.Target, fromRedis, fromMemory);
            if (isTold == false) Log.Untold(logger, caller.Id, scope.Target);
            return AnswerOf(scope, fromRedis, fromMemory, isTold);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            Log.Incomplete(logger, caller.Id, kind, scope.Target, e.Message);
            return new Problem(
                AdminProblems.PurgeIncomplete, "Redis did not answer. Other nodes may still have the jobs.")
            {
                RetryAfter = TimeSpan.FromSeconds(1),
            };
        }
    }

    // The server removes dot segments and an empty last segment. Without this check, such a path would purge more than
    // the operator meant.
    private static bool IsClear(PurgeScope scope, HttpContext http)
    {
        var parts = new[] { scope.Account, scope.Workflow, scope.Job }.Where(part => part.Length > 0).ToList();
        var slashes = RequestTarget.PathOf(http).Count('/');
        return slashes == "/admin/cache".Count(c => c == '/') + parts.Count
            && parts.All(part => JobAddress.IsIdentifier(part));
    }

    private static JsonAnswer AnswerOf(PurgeScope scope, long inRedis, int inMemory, bool? isTold)
    {
        var (purged, found) = (scope.Target, inRedis + inMemory > 0);
        var jobs = new { redis = inRedis, memory = inMemory };
        var otherNodes = isTold is null ? "none" : isTold.Value ? "told" : "find the purge within a second";
        return new JsonAnswer(scope.IsSoft
            ? new { purged, soft = true, found, stale = jobs, otherNodes }
            : new { purged, soft = false, found, removed = jobs, otherNodes });
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information,
            "Operator {Id} {Purged} {Scope}: {InRedis} jobs in Redis, {InMemory} in this node's memory")]
        public static partial void Purged(
            ILogger logger, string id, string purged, string scope, long inRedis, int inMemory);

        [LoggerMessage(LogLevel.Warning,
            "Redis did not take the message about the purge of {Scope} by operator {Id}; other nodes find it within a "
            + "second")]
        public static partial void Untold(ILogger logger, string id, string scope);

        [LoggerMessage(LogLevel.Error, "Operator {Id} {Purged} {Scope}, but Redis failed: {Problem}")]
        public static partial void Incomplete(ILogger logger, string id, string purged, string scope, string problem);
    }
}
