using System.Text.Json;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Upstream;
using Gateway.Watching;

namespace Gateway.Admin;

/// <summary>The explanation of a job's answer. <c>docs/admin.md</c> describes the members.</summary>
internal sealed class JobReport(
    JobInspection found, (WatchedJob Job, bool Waits)? watching, JobsOptions options, SteadyClock clock)
{
    private readonly DateTimeOffset _now = clock.Now;

    public object Body()
    {
        var next = found.Predict(options.StaleIfError, _now);
        return new
        {
            job = found.Key.Name[1..^1],
            node = found.Node,
            known = found.IsKnown || watching is not null,
            next_request = new
            {
                outcome = next.Outcome,
                from = next.From,
                status = next.Snapshot is { } snapshot ? StatusOf(snapshot)
                    : next.Failure is { } failure ? ProblemOf(failure).Status : (int?)null,
                detail = next.Failure?.Verdict.Detail,
            },
            memory = Describe(found.InMemory),
            redis = new
            {
                state = found.RedisState == "available" && found.Shared is null ? "no-answer" : found.RedisState,
                finished = Describe(found.Shared?.Finished),
                live = Describe(found.Shared?.Live),
                noted_finished = found.Shared?.IsNotedFinished,
            },
            purges = found.Purges.Select(purge => new
            {
                scope = purge.Scope.Target,
                soft = purge.Scope.IsSoft,
                order = purge.Order,
                at = Wall(purge.Order),
            }),
            fetch = new
            {
                on_this_node = found.IsFilling,
                @lock = found.Shared?.Lock is { Holder: { } holder } held
                    ? new
                    {
                        holder,
                        is_this_node = holder == found.Node,
                        since = Wall(held.Order),
                        until = Later(held.Left),
                    }
                    : null,
            },
            last_failure = LastFailure(),
            watchers = Watchers(),
        };
    }

    private object? LastFailure()
    {
        // The failure of the later fetch is the last one.
        var theirs = found.Shared?.Lock is { Failure: not null } held ? held : null;
        if (found.Failure is { } own && own.Failure.Order >= (theirs?.Order ?? 0))
        {
            return Describe(own.Failure, own.Until, own.Until + JobMemory.FailureStay, "memory");
        }
        return theirs is null ? null
            : Describe(theirs.Failure! with { Order = theirs.Order },
                _now + theirs.Failure!.BackOff, _now + theirs.Left, "redis");
    }

    private object Describe(FailedFill failure, DateTimeOffset backOffUntil, DateTimeOffset kept, string from)
    {
        var problem = ProblemOf(failure);
        return new
        {
            problem = problem.Type.Uri,
            status = problem.Status,
            upstream_status = failure.Answer.Status == 0 ? (int?)null : failure.Answer.Status,
            detail = failure.Verdict.Detail,
            at = Wall(failure.Order),
            next_fetch_from = Utc(backOffUntil),
            remembered_until = Utc(kept),
            kept_in = from,
        };
    }

    private object Watchers()
    {
        var (streams, waits) = watching?.Job.Watchers ?? default;
        return new
        {
            streams,
            waiting_requests = waits,
            teams = watching?.Job.Teams ?? [],
            poller = watching is { } polled
                ? new { next_look = Utc(polled.Job.NextLook), waits_for_budget = polled.Waits } : null,
        };
    }

    private object? Describe(InspectedJob? stored)
    {
        if (stored is null) return Describe((JobSnapshot?)null);
        var until = stored.Left is { } left ? Later(left) : null;
        return stored.Snapshot is { } snapshot ? Describe(snapshot, until)
            : new { present = true, unusable = stored.Unusable, kept_until = until };
    }

    private object Describe(JobSnapshot? snapshot, DateTime? keptUntil = null)
    {
        if (snapshot is null) return new { present = false };
        return new
        {
            present = true,
            kind = Kebab(snapshot.Kind),
            status = JobFacts.TryRead(snapshot.Identity.Body.Span, null, out var job) ? job.Status : "",
            etag = snapshot.Identity.ETag,
            bytes = snapshot.Identity.Body.Length,
            order = snapshot.Order,
            fetched_at = Utc(snapshot.FetchedAt),
            age = (long)(_now - snapshot.FetchedAt).TotalSeconds,
            first_seen_at = Utc(snapshot.FirstSeenAt),
            is_fresh = snapshot.IsFresh(_now) && !found.IsPurged(snapshot.Order),
            fresh_until = Utc(snapshot.FreshUntilHere),
            rule = RuleOf(snapshot),
            urls_expire_at = snapshot.UrlsExpireAt is { } expiry ? Utc(expiry) : null,
            stale_if_error_until = snapshot.IsAbsent ? null : Utc(snapshot.StaleUntil(options.StaleIfError)),
            purged = found.IsPurged(snapshot.Order),
            kept_until = keptUntil,
        };
    }

    /// <summary>Names the rule of the snapshot's freshness, by the options in force.</summary>
    private string RuleOf(JobSnapshot snapshot)
    {
        if (snapshot.FreshUntilHere > snapshot.FreshUntil) return "held";
        if (snapshot.WasSoftPurged) return "soft-purged";
        if (snapshot.IsAbsent) return Kebab(FreshnessRule.Absent);
        var verdict = Classify(isComplete: true);
        // A job that looks final, but is stored as running, came with 202.
        if (verdict.Kind != snapshot.Kind) verdict = Classify(isComplete: false);
        return Kebab(verdict.Rule);

        Verdict Classify(bool isComplete) => Freshness.Classify(
            snapshot.Identity.Body.Span, isComplete, snapshot.AskAgainAt - snapshot.FetchedAt, found.Key.Address,
            options, clock.ToWall(snapshot.FetchedAt), clock.ToWall(snapshot.FirstSeenAt));
    }

    private static Problems.Problem ProblemOf(FailedFill failure) =>
        UpstreamProblems.Of(failure.Verdict, failure.Answer);

    private static int StatusOf(JobSnapshot snapshot) =>
        snapshot.IsAbsent ? JobProblems.Absent(snapshot).Status : StatusCodes.Status200OK;

    private static string Kebab<T>(T value) where T : struct, Enum =>
        JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    private DateTime? Utc(DateTimeOffset time) => clock.ToWall(time).UtcDateTime;

    private DateTime? Later(TimeSpan left) => Utc(_now + left);

    // An order is microseconds of Redis's clock.
    private static DateTime? Wall(long order) =>
        order is > 0 and < 253_402_300_800_000_000 ? DateTime.UnixEpoch.AddMicroseconds(order) : null;
}
