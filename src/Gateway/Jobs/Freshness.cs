namespace Gateway.Jobs;

/// <summary>
/// The meaning of an upstream answer. The numbers are stored in Redis and shared by nodes of several versions, so they
/// never change.
/// </summary>
internal enum VerdictKind
{
    /// <summary>A job that succeeded and has settled. Such a job never changes again.</summary>
    Finished = 0,

    /// <summary>A job that succeeded less than <c>Jobs:SettleTime</c> ago. Its results may follow later.</summary>
    Settling = 16,

    /// <summary>A job that failed or was cancelled. Such a job may run again under the same id.</summary>
    Failed = 1,

    /// <summary>A job in any other state, or a job whose end is not clear from its body.</summary>
    Running = 2,
    NotFound = 3,

    /// <summary>400: the upstream does not understand the request.</summary>
    BadRequest = 4,

    /// <summary>403: the account may not read this job.</summary>
    Forbidden = 5,

    /// <summary>401: the upstream does not accept the account's credential.</summary>
    CredentialRefused = 6,

    /// <summary>A 200 without a job or with another job, or an answer that the gateway does not expect.</summary>
    Invalid = 7,

    /// <summary>429: the upstream asks the gateway to slow down.</summary>
    Busy = 8,

    /// <summary>503, or the gateway sent no request because the upstream is unavailable.</summary>
    Unavailable = 9,

    /// <summary>No answer in time, or 504.</summary>
    TimedOut = 10,

    /// <summary>No connection, or any other 5xx.</summary>
    Broken = 11,

    /// <summary>The gateway sent no request, because the account's budget was used up.</summary>
    OverBudget = 12,

    /// <summary>410: the upstream has removed the job.</summary>
    Gone = 13,

    /// <summary>451: the upstream may not give the job to anybody, for legal reasons (RFC 7725).</summary>
    Legal = 14,

    /// <summary>A defect of the gateway ended the fetch. The upstream may be fine.</summary>
    GatewayFailed = 15,

    /// <summary>This node had no memory for the body.</summary>
    NoRoom = 17,
}

/// <summary>The rule that decides how long an answer is fresh. <c>docs/caching.md</c> has the table of rules.</summary>
internal enum FreshnessRule
{
    /// <summary>The answer has no lifetime.</summary>
    None,
    Finished,
    Settling,
    Failed,

    /// <summary>The status or the end of the job is missing or unknown, so that the job may have ended.</summary>
    UnclearEnd,
    Running,

    /// <summary>The upstream asked to wait.</summary>
    RetryAfter,

    /// <summary>A signed URL in the body expires earlier than the job's own rule says.</summary>
    SignedUrls,

    /// <summary>404, 410 or 451.</summary>
    Absent,
}

/// <summary>The meaning of an upstream answer, and its lifetime in the cache.</summary>
/// <param name="Lifetime">The freshness lifetime. If it is zero, only callers who already wait get the answer.</param>
/// <param name="Detail">The reason, as a token (RFC 9110, section 5.6.2); empty if there is none.</param>
/// <param name="UrlsExpireAt">When the first of the signed URLs that still work expires; null if none works.</param>
/// <param name="Times">The times that the body states, if it was read.</param>
/// <param name="AskAgainAt">The earliest next fetch that the upstream asks for; null if it asks for none.</param>
/// <param name="Rule">The rule that the lifetime follows, if the body of a job was read.</param>
internal readonly record struct Verdict(
    VerdictKind Kind, TimeSpan Lifetime, string Detail = "", DateTimeOffset? UrlsExpireAt = null,
    JobTimes? Times = null, DateTimeOffset? AskAgainAt = null, FreshnessRule Rule = FreshnessRule.None)
{
    public bool IsJob =>
        Kind is VerdictKind.Finished or VerdictKind.Settling or VerdictKind.Failed or VerdictKind.Running;

    /// <summary>
    /// Whether the upstream has no such job to give: 404, 410 or 451. An older snapshot is then dropped.
    /// </summary>
    public bool IsAbsent => Kind is VerdictKind.NotFound or VerdictKind.Gone or VerdictKind.Legal;

    /// <summary>Returns a copy with all times converted to another clock.</summary>
    /// <param name="by">The lead of the other clock; negative if it is behind.</param>
    public Verdict Moved(TimeSpan by) => this with { UrlsExpireAt = UrlsExpireAt + by, AskAgainAt = AskAgainAt + by };

    /// <summary>Whether a stale snapshot may be served instead.</summary>
    public bool MayServeStale =>
        Kind is (>= VerdictKind.Busy and <= VerdictKind.OverBudget) or VerdictKind.GatewayFailed;
}

/// <summary>
/// Classifies the body of a job and computes its lifetime. The result depends only on the arguments: the body, the
/// requested job, the options, the time, and the time at which the same bytes were first seen.
/// </summary>
internal static class Freshness
{
    // The largest lead of the upstream's clock. A later finished_at is a planned time or a placeholder.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    /// <summary>Classifies the body of a successful response.</summary>
    /// <param name="isComplete">Whether the response is final: true for 200, false for 202.</param>
    /// <param name="retryAfter">How long the upstream asks to wait; null if it asks for nothing.</param>
    /// <param name="firstSeen">
    /// When the same bytes were first seen; <paramref name="now"/> if they are new.
    /// </param>
    public static Verdict Classify(
        ReadOnlySpan<byte> body, bool isComplete, TimeSpan? retryAfter, JobAddress asked, JobsOptions options,
        DateTimeOffset now, DateTimeOffset firstSeen)
    {
        if (!JobFacts.TryRead(body, now, out var job) || !job.IsJob) return Invalid("not-a-job");
        var named = job.Id is not null && job.WorkflowId is not null;
        if (options.VerifyIds)
        {
            if (job.Id is not null && job.Id != asked.Job) return Invalid("wrong-id");
            if (job.WorkflowId is not null && job.WorkflowId != asked.Workflow) return Invalid("wrong-workflow-id");
        }
        var isTrusted = isComplete && (named || !options.VerifyIds);
        var seen = Most(now - firstSeen, TimeSpan.Zero);
        var (kind, lifetime, rule) = isTrusted
            ? ByStatus(job, options, now, seen)
            : (VerdictKind.Running, options.RunningLifetime, FreshnessRule.Running);
        var wait = Most(retryAfter ?? TimeSpan.Zero, TimeSpan.Zero);
        if (kind == VerdictKind.Running && Least(wait, options.MaxPollInterval) is var longer && longer > lifetime)
        {
            (lifetime, rule) = (longer, FreshnessRule.RetryAfter);
        }
        var working = WhileUrlsWork(job, lifetime, options, now, seen);
        if (working < lifetime) rule = FreshnessRule.SignedUrls;
        return new Verdict(kind, working)
        {
            Rule = rule,
            UrlsExpireAt = job.UrlsExpireAt,
            Times = job.Times,
            AskAgainAt = wait > TimeSpan.Zero ? now + wait : null,
        };
    }

    /// <summary>Classifies a job by its status and its end, and returns its lifetime.</summary>
    /// <param name="seen">For how long the gateway has seen the same bytes.</param>
    private static (VerdictKind, TimeSpan, FreshnessRule) ByStatus(
        JobFacts job, JobsOptions options, DateTimeOffset now, TimeSpan seen)
    {
        var (succeeded, failed) = (options.IsFinished(job.Status), options.IsFailed(job.Status));
        var end = job.Times.FinishedAt <= now + ClockTolerance ? job.Times.FinishedAt : null;
        // The upstream's clock may be ahead, but the job had ended when these bytes were first seen.
        var sinceEnd = end is { } time ? Most(now - time, seen) : seen;
        // The longer the job has not changed since its end, the longer it is likely not to change.
        var sameAgain = Most(sinceEnd, options.RunningLifetime);
        if (end is not null && succeeded)
        {
            return sinceEnd >= options.SettleTime
                ? (VerdictKind.Finished, options.FinishedLifetime, FreshnessRule.Finished)
                : (VerdictKind.Settling, sameAgain, FreshnessRule.Settling);
        }
        if (end is not null && failed)
        {
            return (VerdictKind.Failed, Least(sameAgain, options.FailedLifetime), FreshnessRule.Failed);
        }
        var isUnknownStatus = !string.IsNullOrWhiteSpace(job.Status) && !options.IsKnown(job.Status);
        var mayHaveEnded = succeeded || failed || (isUnknownStatus && end is not null);
        return mayHaveEnded
            ? (VerdictKind.Running, Least(Most(seen, options.RunningLifetime), options.FailedLifetime),
                FreshnessRule.UnclearEnd)
            : (VerdictKind.Running, options.RunningLifetime, FreshnessRule.Running);
    }

    /// <summary>
    /// Limits a lifetime to the time for which the signed URLs in the body work. The upstream may replace a URL that
    /// had already expired when the body was fetched, so such a body also lives no longer than it has been seen.
    /// </summary>
    private static TimeSpan WhileUrlsWork(
        JobFacts job, TimeSpan lifetime, JobsOptions options, DateTimeOffset now, TimeSpan seen)
    {
        var working = job.UrlsExpireAt - now ?? TimeSpan.MaxValue;
        if (job.HasExpiredUrl) working = Least(working, Least(seen, options.FailedLifetime));
        return Least(lifetime, Most(working, options.RunningLifetime));
    }

    private static Verdict Invalid(string why) => new(VerdictKind.Invalid, TimeSpan.Zero, why);

    private static TimeSpan Least(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Most(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
