using Gateway.Caching;
using Gateway.Callers;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Redis;

namespace Gateway.Admin;

/// <summary>
/// <c>DELETE /admin/cache[/{account}[/{workflow}[/{job}]]]</c>: removes cached jobs on all nodes, for operators.
/// </summary>
internal sealed partial class PurgeEndpoint(
    OperatorGate gate, PurgeLog log, JobChannel channel, ILogger<PurgeEndpoint> logger)
{
    public static void Map(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<PurgeEndpoint>();
        app.MapDelete("/admin/cache/{account?}/{workflow?}/{job?}", endpoint.AnswerAsync).ExcludeFromDescription();
    }

    private Task AnswerAsync(
        HttpContext http, string? account, string? workflow, string? job, CancellationToken cancellation)
    {
        var scope = new PurgeScope(account?.ToLowerInvariant() ?? "", workflow ?? "", job ?? "");
        return gate.AnswerAsync(http, caller => PurgeAsync(http, caller, scope, cancellation));
    }

    private async Task<IAnswer> PurgeAsync(
        HttpContext http, Caller caller, PurgeScope scope, CancellationToken cancellation)
    {
        if (!IsClear(scope, http)) return new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
        try
        {
            var fromMemory = await log.MarkAsync(scope);
            var isTold = await channel.PublishPurgeAsync();
            var fromRedis = await log.RemoveAsync(scope, cancellation);
            Log.Purged(logger, caller.Id, scope.Name, fromRedis, fromMemory);
            if (isTold == false) Log.Untold(logger, caller.Id, scope.Name);
            return new PurgeAnswer(scope.Name, fromRedis, fromMemory, isTold);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            Log.Incomplete(logger, caller.Id, scope.Name, e.Message);
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

    private sealed class PurgeAnswer(string scope, long fromRedis, int fromMemory, bool? isTold) : IAnswer
    {
        public int Status => StatusCodes.Status200OK;

        public async ValueTask WriteAsync(HttpContext http)
        {
            http.Response.Headers.CacheControl = "no-store";
            var body = new
            {
                purged = scope,
                removed = new { redis = fromRedis, memory = fromMemory },
                otherNodes = isTold is null ? "none" : isTold.Value ? "told" : "find the purge within a second",
            };
            await http.Response.WriteAsJsonAsync(body, http.RequestAborted);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information,
            "Operator {Id} purged {Scope}: {FromRedis} jobs from Redis, {FromMemory} from this node's memory")]
        public static partial void Purged(ILogger logger, string id, string scope, long fromRedis, int fromMemory);

        [LoggerMessage(LogLevel.Warning,
            "Redis did not take the message about the purge of {Scope} by operator {Id}; other nodes find it within a "
            + "second")]
        public static partial void Untold(ILogger logger, string id, string scope);

        [LoggerMessage(LogLevel.Error, "Operator {Id} purged {Scope}, but Redis failed: {Problem}")]
        public static partial void Incomplete(ILogger logger, string id, string scope, string problem);
    }
}
