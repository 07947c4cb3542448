using Gateway.Jobs;

namespace Gateway.Upstream;

/// <summary>Classifies answers of the upstream: jobs by freshness, everything else by a table.</summary>
internal static class UpstreamVerdict
{
    /// <param name="firstSeen">When the same bytes were first seen; <paramref name="now"/> if they are new.</param>
    public static Verdict Of(
        in UpstreamAnswer answer, JobAddress asked, JobsOptions options, DateTimeOffset now,
        DateTimeOffset firstSeen) =>
        answer is { Fault: UpstreamFault.None, Status: 200 or 202 }
            ? Freshness.Classify(answer.Body, answer.Status == 200, answer.RetryAfter, asked, options, now, firstSeen)
            : OfFailure(answer, options);

    /// <summary>Classifies an unsuccessful answer.</summary>
    public static Verdict OfFailure(in UpstreamAnswer answer, JobsOptions options) =>
        answer.Fault switch
        {
            UpstreamFault.NoCredential => new(VerdictKind.Unavailable, TimeSpan.Zero, "no-credential"),
            UpstreamFault.OverBudget => new(VerdictKind.OverBudget, TimeSpan.Zero, "over-budget"),
            UpstreamFault.Paused => new(VerdictKind.Busy, TimeSpan.Zero, "paused"),
            UpstreamFault.CredentialDead => new(VerdictKind.CredentialRefused, TimeSpan.Zero, "credential-refused"),
            UpstreamFault.CircuitOpen => new(VerdictKind.Unavailable, TimeSpan.Zero, "circuit-open"),
            UpstreamFault.Unreachable => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-unreachable"),
            UpstreamFault.TimedOut => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-timeout"),
            UpstreamFault.CutShort when answer.Status is not (200 or 202) => ByStatus(answer.Status, options),
            UpstreamFault.CutShort => Invalid("cut-short"),
            UpstreamFault.TooLarge => Invalid("too-large"),
            UpstreamFault.NoRoom => new(VerdictKind.NoRoom, TimeSpan.Zero, "no-room"),
            UpstreamFault.EchoedCredential => Invalid("credential-echoed"),
            UpstreamFault.WrongRange => Invalid("wrong-range"),
            UpstreamFault.Encoded => Invalid("content-coding"),
            UpstreamFault.JobRefused =>
                new(VerdictKind.Forbidden, TimeSpan.Zero, answer.Status == 401 ? "upstream-401" : ""),
            UpstreamFault.NameNotResolved => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-name-not-resolved"),
            UpstreamFault.TlsTimedOut => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-tls-timeout"),
            UpstreamFault.TlsFailed => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-tls-failed"),
            UpstreamFault.ProxyFailed => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-proxy-failed"),
            UpstreamFault.ProtocolError => new(VerdictKind.Broken, TimeSpan.Zero, "upstream-protocol-error"),
            UpstreamFault.HeaderTooLarge => Invalid("upstream-header-too-large"),
            _ => ByStatus(answer.Status, options),
        };

    private static Verdict ByStatus(int status, JobsOptions options) => status switch
    {
        404 => new(VerdictKind.NotFound, options.NotFoundLifetime),
        400 => new(VerdictKind.BadRequest, TimeSpan.Zero),
        401 => new(VerdictKind.CredentialRefused, TimeSpan.Zero, "upstream-401"),
        403 => new(VerdictKind.Forbidden, TimeSpan.Zero),
        408 => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-408"),
        410 => new(VerdictKind.Gone, options.NotFoundLifetime, "upstream-410"),
        451 => new(VerdictKind.Legal, options.NotFoundLifetime, "upstream-451"),
        429 => new(VerdictKind.Busy, TimeSpan.Zero, "upstream-429"),
        503 => new(VerdictKind.Unavailable, TimeSpan.Zero, "upstream-503"),
        504 => new(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-504"),
        >= 500 => new(VerdictKind.Broken, TimeSpan.Zero, $"upstream-{status}"),
        _ => Invalid($"upstream-{status}"),
    };

    private static Verdict Invalid(string why) => new(VerdictKind.Invalid, TimeSpan.Zero, why);
}
