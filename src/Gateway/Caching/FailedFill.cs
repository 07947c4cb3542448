using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Upstream;

namespace Gateway.Caching;

/// <summary>The result of a fill that brought no job.</summary>
/// <param name="BackOff">The time until the next fill may begin; zero if it may begin at once.</param>
internal sealed record FailedFill(Verdict Verdict, UpstreamAnswer Answer, TimeSpan BackOff)
{
    private static readonly TimeSpan MinBackOff = TimeSpan.FromMilliseconds(250), MaxBackOff = TimeSpan.FromSeconds(5);

    /// <summary>The node was paused so often that each answer came after its fetch lock had expired.</summary>
    public static readonly FailedFill TooLate = new(
        new Verdict(VerdictKind.TimedOut, TimeSpan.Zero, "upstream-timeout"),
        UpstreamAnswer.Failed(UpstreamFault.TimedOut), TimeSpan.Zero);

    /// <summary>The node had no memory for the body.</summary>
    public static readonly FailedFill NoRoom = new(new Verdict(VerdictKind.NoRoom, TimeSpan.Zero, "no-room"),
        UpstreamAnswer.Failed(UpstreamFault.NoRoom, retryAfter: ByteBudget.RetryAfter), TimeSpan.Zero);

    /// <summary>
    /// Returns the failure of a fill that a defect of the gateway ended. The next fill may begin after the usual
    /// back-off.
    /// </summary>
    public static FailedFill OfGateway(JobsOptions options) =>
        Of(new Verdict(VerdictKind.GatewayFailed, TimeSpan.Zero, "gateway-error"),
            UpstreamAnswer.Failed(UpstreamFault.None), options, isFirst: false);

    /// <summary>The order of the fetch (<see cref="FetchOrder"/>).</summary>
    public long Order { get; init; }

    /// <summary>
    /// Returns the failure as of a later time, when <paramref name="left"/> of the back-off remains. The
    /// <c>Retry-After</c> of the upstream is reduced by the time that has passed.
    /// </summary>
    public FailedFill Later(TimeSpan left)
    {
        var passed = BackOff - left;
        return Answer.RetryAfter is { } asked && passed > TimeSpan.Zero
            ? this with { Answer = Answer with { RetryAfter = asked > passed ? asked - passed : TimeSpan.Zero } }
            : this;
    }

    /// <summary>
    /// Returns the failure with its back-off: the time that the upstream asks for, but at least half of
    /// <see cref="JobsOptions.RunningLifetime"/>. The next fetch then finds a recovered upstream within one lifetime.
    /// There is no back-off if the upstream refused only this request. There is also none if the account's budget was
    /// used up before the first fetch of the job, because the budget may admit another team next.
    /// </summary>
    /// <param name="isFirst">Whether no snapshot of the job was known.</param>
    public static FailedFill Of(in Verdict verdict, in UpstreamAnswer answer, JobsOptions options, bool isFirst)
    {
        if (verdict.Kind is VerdictKind.BadRequest or VerdictKind.Forbidden or VerdictKind.CredentialRefused
            || (verdict.Kind == VerdictKind.OverBudget && isFirst))
        {
            return new FailedFill(verdict, answer, TimeSpan.Zero);
        }
        var asked = answer.Fault is UpstreamFault.None or UpstreamFault.Paused ? answer.RetryAfter : null;
        var half = (options.RunningLifetime / 2).Ticks;
        var backOff = TimeSpan.FromTicks(Math.Clamp(half, MinBackOff.Ticks, MaxBackOff.Ticks));
        if (asked > backOff) backOff = asked.Value;
        return new FailedFill(verdict, answer, backOff);
    }
}
