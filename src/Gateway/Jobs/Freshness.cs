namespace Gateway.Jobs;

/// <summary>
/// What an upstream answer means. The numbers are stored in Redis, and nodes of several versions share them.
/// </summary>
internal enum VerdictKind
{
    /// <summary>A job that succeeded, and has settled: it never changes again.</summary>
    Finished = 0,

    /// <summary>A job that succeeded less than <c>Jobs:SettleTime</c> ago: its results may follow.</summary>
    Settling = 16,

    /// <summary>A job that failed or was cancelled: it may be run again under its id.</summary>
    Failed = 1,

    /// <summary>
    /// A job in any other state, known or not; also one that seems to have ended, but does not say so clearly.
    /// </summary>
    Running = 2,
    NotFound = 3,

    /// <summary>400: the upstream does not understand the request.</summary>
    BadRequest = 4,

    /// <summary>403: the account may not read this job.</summary>
    Forbidden = 5,

    /// <summary>401: the upstream does not accept the account's credential.</summary>
    CredentialRefused = 6,

    /// <summary>A 200 that is no job, or not the job asked for, or an answer that makes no sense here.</summary>
    Invalid = 7,

    /// <summary>429: the upstream asks to slow down.</summary>
    Busy = 8,

    /// <summary>503, or nothing was sent.</summary>
    Unavailable = 9,

    /// <summary>No answer in time, or 504.</summary>
    TimedOut = 10,

    /// <summary>No connection, or any other 5xx.</summary>
    Broken = 11,

    /// <summary>Nothing was sent, for what the account may ask of the upstream was used up.</summary>
    OverBudget = 12,

    /// <summary>410: the job was there, and will not come back.</summary>
    Gone = 13,

    /// <summary>451: the upstream may not give the job to anybody, for legal reasons (RFC 7725).</summary>
    Legal = 14,

    /// <summary>A defect of the gateway broke off the fetch; it says nothing of the upstream.</summary>
    GatewayFailed = 15,

    /// <summary>This node had no memory for the body.</summary>
    NoRoom = 17,
}

/// <summary>What an upstream answer means, and how long it may live.</summary>
/// <param name="Lifetime">Zero: whoever waits for it may have it, nobody after.</param>
/// <param name="Detail">Why, as a token of RFC 9110; empty where there is nothing to explain.</param>
/// <param name="UrlsExpireAt">When the first of the signed URLs that still work expires; null: there is none.</param>
/// <param name="Times">What a job says of its own time, where it was read.</param>
/// <param name="AskAgainAt">Before this time the upstream does not want to be asked; null: it said nothing.</param>
internal readonly record struct Verdict(
    VerdictKind Kind, TimeSpan Lifetime, string Detail = "", DateTimeOffset? UrlsExpireAt = null,
    JobTimes? Times = null, DateTimeOffset? AskAgainAt = null)
{
    public bool IsJob => Kind is VerdictKind.Finished or VerdictKind.Settling or VerdictKind.Failed or VerdictKind.Running;

    /// <summary>
    /// Whether the upstream has no such job to give: 404, 410 or 451. What was known of it is dropped.
    /// </summary>
    public bool IsAbsent => Kind is VerdictKind.NotFound or VerdictKind.Gone or VerdictKind.Legal;

    /// <summary>
    /// The same where its times are by a clock that is so far ahead; behind it, where that is negative.
    /// </summary>
    public Verdict Moved(TimeSpan by) => this with { UrlsExpireAt = UrlsExpireAt + by, AskAgainAt = AskAgainAt + by };

    /// <summary>Whether the last snapshot may answer instead.</summary>
    public bool MayServeStale => Kind is (>= VerdictKind.Busy and <= VerdictKind.OverBudget) or VerdictKind.GatewayFailed;
}

/// <summary>
/// The freshness rule: a pure function of the answer, the job asked for, the options, the time, and when these very
/// bytes were first seen.
/// </summary>
internal static class Freshness
{
    // How far the upstream's clock may be ahead. An end later than that is planned, or a placeholder.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    /// <summary>What a body means that should be the job asked for.</summary>
    /// <param name="isComplete">False: the upstream says that its answer is not the last word (202).</param>
    /// <param name="retryAfter">How long the upstream asks to wait before the next look; null: it said nothing.</param>
    /// <param name="firstSeen">When these very bytes were first seen; <paramref name="now"/>: just now.</param>
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
        var (kind, lifetime) =
            isTrusted ? Ended(job, options, now, seen) : (VerdictKind.Running, options.RunningLifetime);
        var wait = Most(retryAfter ?? TimeSpan.Zero, TimeSpan.Zero);
        if (kind == VerdictKind.Running) lifetime = Most(lifetime, Least(wait, options.MaxPollInterval));
        return new Verdict(kind, WhileUrlsWork(job, lifetime, options, now, seen))
        {
            UrlsExpireAt = job.UrlsExpireAt,
            Times = job.Times,
            AskAgainAt = wait > TimeSpan.Zero ? now + wait : null,
        };
    }

    /// <summary>What a job is by its word and its end, and how long it may live.</summary>
    private static (VerdictKind, TimeSpan) Ended(JobFacts job, JobsOptions options, DateTimeOffset now, TimeSpan seen)
    {
        var (succeeded, failed) = (options.IsFinished(job.Status), options.IsFailed(job.Status));
        var end = job.Times.FinishedAt <= now + ClockTolerance ? job.Times.FinishedAt : null;
        // Where the upstream's clock is ahead: the job had ended when these bytes were first seen.
        var sinceEnd = end is { } time ? Most(now - time, seen) : seen;
        var asLongAgain = Most(sinceEnd, options.RunningLifetime);
        if (end is not null && succeeded)
        {
            return sinceEnd >= options.SettleTime
                ? (VerdictKind.Finished, options.FinishedLifetime) : (VerdictKind.Settling, asLongAgain);
        }
        if (end is not null && failed) return (VerdictKind.Failed, Least(asLongAgain, options.FailedLifetime));
        var isUnknownWord = !string.IsNullOrWhiteSpace(job.Status) && !options.IsKnown(job.Status);
        var mayHaveEnded = succeeded || failed || (isUnknownWord && end is not null);
        var lifetime = mayHaveEnded ? Least(Most(seen, options.RunningLifetime), options.FailedLifetime) : options.RunningLifetime;
        return (VerdictKind.Running, lifetime);
    }

    /// <summary>
    /// A body is of little use once one of its URLs has stopped working. A URL that had stopped before these bytes were
    /// fetched may be replaced by the upstream, or never: the body lives as long again as it has been seen.
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
