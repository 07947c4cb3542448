using Gateway.Jobs;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>Makes one call with a credential.</summary>
/// <param name="tell">
/// Reports the outcome that the beginning of the answer shows, if the end of the answer may come much later.
/// </param>
internal delegate Task<UpstreamAnswer> SendCall(Credential credential, Func<UpstreamAnswer, ValueTask> tell);

/// <summary>
/// Makes calls with an account's credentials. Each call waits for its permit. A call is repeated if its credential was
/// refused and there is another one. If all credentials were refused, the answer states whether the cause is the
/// request or the credentials, if the cause can be found in time.
/// </summary>
internal sealed class AccountCalls(AccountGates gates, IOptionsMonitor<UpstreamOptions> upstream, TimeProvider clock)
{
    /// <param name="job">The job; the default value if the request is not for a job.</param>
    /// <param name="team">The team whose turn the calls take.</param>
    /// <param name="use">Counts the calls; null if nobody is charged.</param>
    /// <param name="ticket">The permit of the first call, if it was acquired before. Further calls wait.</param>
    public AccountCall Begin(
        string account, JobAddress job, string team, CallRank rank, UseCounter? use, CallTicket? ticket = null) =>
        new(account, gates.Of(account), job, team, rank, clock.GetTimestamp()) { Use = use, Ticket = ticket };

    public async Task<UpstreamAnswer> MakeAsync(AccountCall call, SendCall send)
    {
        // 1. Wait for a permit.
        var first = call.Ticket?.Take() ?? await AcquireAsync(call, call.Rank);
        if (call.Ticket is not null) first.Permit?.UseFor(call.Job);
        if (first.Permit is not { } permit)
        {
            return call.Last ?? UpstreamAnswer.Failed(first.Fault, retryAfter: first.RetryAfter);
        }

        // 2. Make the call.
        var answer = await SendAsync(call, permit, permit.Credential, send);
        List<Credential> refused = [permit.Credential];

        // 3. Repeat it with other credentials: with one that replaced the refused one meanwhile, or with the next one.
        while (IsRefused(answer) && await call.Gate.OtherThanAsync(refused) is { } other)
        {
            var again = await AcquireAsync(call, CallRank.OtherCredential);
            if (again.Permit is not { } second) break;
            answer = await SendAsync(call, second, other, send, refused[^1]);
            refused.Add(other);
        }

        // 4. Find the cause of a refusal.
        if (IsRefused(answer)) answer = await FindCauseAsync(call, refused, answer);
        call.Last = answer;
        return answer;
    }

    private async Task<UpstreamAnswer> FindCauseAsync(
        AccountCall call, List<Credential> refused, UpstreamAnswer answer)
    {
        foreach (var credential in refused)
        {
            var cause = await call.Gate.FindCauseAsync(credential, MaxWaitOf(call));
            if (cause == RefusalCause.Job) return answer with { Fault = UpstreamFault.JobRefused };
            if (cause != RefusalCause.Credential) return answer;
        }
        return UpstreamAnswer.Failed(UpstreamFault.CredentialDead, answer.Status);
    }

    private static bool IsRefused(in UpstreamAnswer answer) =>
        answer is { Fault: UpstreamFault.None, Status: 401 or 403 };

    private ValueTask<QueueResult> AcquireAsync(AccountCall call, CallRank rank) =>
        call.Gate.AcquireAsync(rank, call.Team, call.Job, MaxWaitOf(call));

    private TimeSpan MaxWaitOf(AccountCall call)
    {
        var options = upstream.CurrentValue;
        var maxWait = options.Accounts.GetValueOrDefault(call.Account)?.QueueTimeout ?? TimeSpan.Zero;
        var left = options.Timeout - clock.GetElapsedTime(call.Started);
        var ticks = Math.Min(maxWait.Ticks, Math.Min((options.Timeout / 2).Ticks, left.Ticks));
        return TimeSpan.FromTicks(Math.Max(0, ticks));
    }

    private static async Task<UpstreamAnswer> SendAsync(
        AccountCall call, CallPermit permit, Credential credential, SendCall send, Credential? refused = null)
    {
        var answer = UpstreamAnswer.Failed(UpstreamFault.TimedOut);
        try
        {
            permit.GoOut();
            call.Use?.Called();
            return answer = await send(credential, beginning => ReportAsync(beginning, isOver: false));
        }
        finally
        {
            await ReportAsync(answer, isOver: true);
        }

        ValueTask ReportAsync(UpstreamAnswer answer, bool isOver)
        {
            var outcome = OutcomeOf(answer);
            if (outcome == CallOutcome.Refused && refused is not null) outcome = CallOutcome.RefusedTwice;
            // If this credential is accepted, the one before is dead.
            var superseded = outcome is CallOutcome.Accepted or CallOutcome.Missing ? refused : null;
            return permit.ReportAsync(
                outcome, credential, answer.RetryAfter, superseded, answer.Status == 401, isOver);
        }
    }

    /// <summary>Returns the outcome of an answer, as far as it concerns the account.</summary>
    public static CallOutcome OutcomeOf(in UpstreamAnswer answer) => answer switch
    {
        { Fault: UpstreamFault.CallerGone } => CallOutcome.Unknown,
        { Fault: UpstreamFault.HeaderTooLarge } => CallOutcome.Answered,
        { Fault: UpstreamFault.ProxyFailed } => CallOutcome.Failed,
        { Fault: UpstreamFault.Unreachable or UpstreamFault.NameNotResolved } => CallOutcome.Failed,
        { Fault: UpstreamFault.TimedOut or UpstreamFault.TlsTimedOut } => CallOutcome.Failed,
        { Fault: UpstreamFault.TlsFailed or UpstreamFault.ProtocolError } => CallOutcome.Failed,
        { Status: >= 500 } => CallOutcome.Failed,
        { Status: (>= 200 and < 300) or 304 } => CallOutcome.Accepted,
        { Status: 404 or 410 } => CallOutcome.Missing,
        { Status: 401 or 403 } => CallOutcome.Refused,
        { Status: 429 } => CallOutcome.Busy,
        { Status: > 0 } => CallOutcome.Answered,
        _ => CallOutcome.Unknown,
    };
}

/// <summary>One request to the upstream, which may take several calls.</summary>
internal sealed record AccountCall(
    string Account, AccountGate Gate, JobAddress Job, string Team, CallRank Rank, long Started)
{
    /// <summary>Counts the calls for a key or a team; null if nobody is charged.</summary>
    public UseCounter? Use { get; init; }

    /// <summary>A permit that was acquired before; null if there is none.</summary>
    public CallTicket? Ticket { get; init; }

    /// <summary>The answer to the last call. It is the result if no further call may go out.</summary>
    public UpstreamAnswer? Last { get; set; }
}
