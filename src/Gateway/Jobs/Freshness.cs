using Gateway.Upstream;

namespace Gateway.Jobs;

/// <summary>What an upstream answer means.</summary>
internal enum VerdictKind
{
    /// <summary>A job that succeeded: it never changes again.</summary>
    Finished,

    /// <summary>A job that failed or was cancelled: it may be run again under its id.</summary>
    Failed,

    /// <summary>A job in any other state, known or not.</summary>
    Running,
    NotFound,

    /// <summary>400: the upstream does not understand the request.</summary>
    BadRequest,

    /// <summary>403: the account may not read this job.</summary>
    Forbidden,

    /// <summary>401: the upstream does not accept the account's credential.</summary>
    CredentialRefused,

    /// <summary>A 200 that is no job, or not the job asked for, or an answer that makes no sense here.</summary>
    Invalid,

    /// <summary>429: the upstream asks to slow down.</summary>
    Busy,

    /// <summary>503, or nothing was sent.</summary>
    Unavailable,

    /// <summary>No answer in time, or 504.</summary>
    TimedOut,

    /// <summary>No connection, or any other 5xx.</summary>
    Broken,

    /// <summary>Nothing was sent, for what the account may ask of the upstream was used up.</summary>
    OverBudget,

    // Nodes of several versions share these by number: new ones come last.

    /// <summary>410: the job was there, and will not come back.</summary>
    Gone,

    /// <summary>451: the upstream may not give the job to anybody, for legal reasons (RFC 7725).</summary>
    Legal,

    /// <summary>A defect of the gateway broke off the fetch; it says nothing of the upstream.</summary>
    GatewayFailed,
}

/// <summary>What an upstream answer means, and how long it may live.</summary>
/// <param name="Lifetime">Zero: whoever waits for it may have it, nobody after.</param>
/// <param name="Detail">Why, as a token of RFC 9110; empty where there is nothing to explain.</param>
/// <param name="UrlsExpireAt">When the first signed URL within the body expires; null where there is none.</param>
/// <param name="Times">What a job says of its own time, where it was read.</param>
internal readonly record struct Verdict(
    VerdictKind Kind, TimeSpan Lifetime, string Detail = "", DateTimeOffset? UrlsExpireAt = null, JobTimes? Times = null)
{
    public bool IsJob => Kind <= VerdictKind.Running;

    /// <summary>Whether the last snapshot may answer instead.</summary>
    public bool MayServeStale => Kind is >= VerdictKind.Busy and <= VerdictKind.OverBudget;
}

/// <summary>The freshness rule: a pure function of the answer, the job asked for, and the time.</summary>
internal static class Freshness
{
    public static Verdict Classify(in UpstreamAnswer answer, JobAddress asked, JobsOptions options, DateTimeOffset now) =>
        answer is { Fault: UpstreamFault.None, Status: 200 } ? Job(answer.Body, asked, options, now) : ClassifyFailure(answer, options);

    /// <summary>What an answer means that is not what was asked for, whatever that was.</summary>
    public static Verdict ClassifyFailure(in UpstreamAnswer answer, JobsOptions options) =>
        answer.Fault switch
        {
            UpstreamFault.NoCredential => new(VerdictKind.Unavailable, TimeSpan.Zero, "no-credential"),
            UpstreamFault.OverBudget => new(VerdictKind.OverBudget, TimeSpan.Zero, "over-budget"),
            UpstreamFault.Paused => new(VerdictKind.Busy, TimeSpan.Zero, "paused"),
            UpstreamFault.CredentialDead => new(VerdictKind.CredentialRefused, TimeSpan.Zero, "credential-refused"),
            UpstreamFault.CircuitOpen => new(VerdictKind.Unavailable, TimeSpan.Zero, "circuit-open"),
            UpstreamFault.Unreachable => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-unreachable"),
            UpstreamFault.TimedOut => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-timeout"),
            UpstreamFault.CutShort when answer.Status != 200 => ByStatus(answer.Status, options),
            UpstreamFault.CutShort => Invalid("cut-short"),
            UpstreamFault.TooLarge => Invalid("too-large"),
            UpstreamFault.EchoedCredential => Invalid("credential-echoed"),
            UpstreamFault.Encoded => Invalid("content-coding"),
            UpstreamFault.JobRefused => new(VerdictKind.Forbidden, TimeSpan.Zero, answer.Status == 401 ? "upstream-401" : ""),
            UpstreamFault.NameNotResolved => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-name-not-resolved"),
            UpstreamFault.TlsTimedOut => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-tls-timeout"),
            UpstreamFault.TlsFailed => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-tls-failed"),
            UpstreamFault.ProtocolError => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-protocol-error"),
            UpstreamFault.HeaderTooLarge => Invalid("upstream-header-too-large"),
            _ => ByStatus(answer.Status, options),
        };

    private static Verdict Job(byte[] body, JobAddress asked, JobsOptions options, DateTimeOffset now)
    {
        if (!JobFacts.TryRead(body, out var job)) return Invalid("not-a-job");
        var named = job.Id is not null && job.WorkflowId is not null;
        if (options.VerifyIds)
        {
            if (job.Id is not null && job.Id != asked.Job) return Invalid("wrong-id");
            if (job.WorkflowId is not null && job.WorkflowId != asked.Workflow) return Invalid("wrong-workflow-id");
        }
        var isFinal = job.HasFinishedAt && (named || !options.VerifyIds);
        var (kind, lifetime) =
            isFinal && options.IsFinished(job.Status) ? (VerdictKind.Finished, options.FinishedLifetime)
            : isFinal && options.IsFailed(job.Status) ? (VerdictKind.Failed, options.FailedLifetime)
            : (VerdictKind.Running, options.RunningLifetime);
        return new Verdict(kind, Until(job.UrlsExpireAt, now, lifetime), UrlsExpireAt: job.UrlsExpireAt, Times: job.Times);
    }

    private static Verdict ByStatus(int status, JobsOptions options) => status switch
    {
        404 => new(VerdictKind.NotFound, options.NotFoundLifetime),
        400 => new(VerdictKind.BadRequest, TimeSpan.Zero),
        401 => new(VerdictKind.CredentialRefused, TimeSpan.Zero, "upstream-401"),
        403 => new(VerdictKind.Forbidden, TimeSpan.Zero),
        408 => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-408"),
        410 => new(VerdictKind.Gone, TimeSpan.Zero, "upstream-410"),
        451 => new(VerdictKind.Legal, TimeSpan.Zero, "upstream-451"),
        429 => new(VerdictKind.Busy, TimeSpan.Zero, "upstream-429"),
        503 => new(VerdictKind.Unavailable, TimeSpan.Zero, "upstream-503"),
        504 => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-504"),
        >= 500 => new(VerdictKind.Broken, TimeSpan.Zero, $"upstream-{status}"),
        _ => Invalid($"upstream-{status}"),
    };

    private static Verdict Invalid(string why) => new(VerdictKind.Invalid, TimeSpan.Zero, why);

    // A body is of no use once one of its URLs has stopped working.
    private static TimeSpan Until(DateTimeOffset? urlsExpireAt, DateTimeOffset now, TimeSpan lifetime)
    {
        if (urlsExpireAt is not { } expiry || expiry - now >= lifetime) return lifetime;
        return expiry > now ? expiry - now : TimeSpan.Zero;
    }
}
