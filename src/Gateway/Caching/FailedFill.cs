using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Upstream;

namespace Gateway.Caching;

/// <summary>A fill that brought no job.</summary>
/// <param name="BackOff">How long until the next one may begin; zero: at once.</param>
internal sealed record FailedFill(Verdict Verdict, UpstreamAnswer Answer, TimeSpan BackOff)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(250), LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>The node was paused so often that each answer came after its fetch lock had expired.</summary>
    public static readonly FailedFill TooLate = new(
        new Verdict(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-timeout"), UpstreamAnswer.Failed(UpstreamFault.TimedOut), TimeSpan.Zero);

    /// <summary>Where memory gave out.</summary>
    public static readonly FailedFill NoRoom = new(new Verdict(VerdictKind.NoRoom, TimeSpan.Zero, "no-room"),
        UpstreamAnswer.Failed(UpstreamFault.NoRoom, retryAfter: ByteBudget.RetryAfter), TimeSpan.Zero);

    /// <summary>
    /// Of a fill that a defect of the gateway broke off. The next one may begin after the usual back-off.
    /// </summary>
    public static FailedFill OfGateway(JobsOptions options) =>
        Of(new Verdict(VerdictKind.GatewayFailed, TimeSpan.Zero, "gateway-error"),
            UpstreamAnswer.Failed(UpstreamFault.None), options, isFirst: false);

    /// <summary>When it was asked for, in the order of fetches (<see cref="FetchOrder"/>).</summary>
    public long Order { get; init; }

    /// <summary>
    /// The same failure later, with so much of the back-off left: what the upstream asked for has gone by in part.
    /// </summary>
    public FailedFill Later(TimeSpan left)
    {
        var passed = BackOff - left;
        return Answer.RetryAfter is { } asked && passed > TimeSpan.Zero
            ? this with { Answer = Answer with { RetryAfter = asked > passed ? asked - passed : TimeSpan.Zero } }
            : this;
    }

    /// <summary>
    /// The back-off: as long as the upstream asked for; else half a running lifetime, so that its recovery shows within
    /// a whole one. An answer that is about this request, and no failure, may be asked for again at once, and so may a
    /// job that nobody has seen and that nobody was asked for, because the budget was used up: another team may be
    /// next.
    /// </summary>
    public static FailedFill Of(in Verdict verdict, in UpstreamAnswer answer, JobsOptions options, bool isFirst)
    {
        if (verdict.Kind is VerdictKind.BadRequest or VerdictKind.Forbidden or VerdictKind.CredentialRefused
            || (verdict.Kind == VerdictKind.OverBudget && isFirst))
        {
            return new FailedFill(verdict, answer, TimeSpan.Zero);
        }
        var asked = answer.Fault is UpstreamFault.None or UpstreamFault.Paused ? answer.RetryAfter : null;
        var pause = TimeSpan.FromTicks(Math.Clamp((options.RunningLifetime / 2).Ticks, ShortestPause.Ticks, LongestPause.Ticks));
        if (asked > pause) pause = asked.Value;
        return new FailedFill(verdict, answer, pause);
    }
}
