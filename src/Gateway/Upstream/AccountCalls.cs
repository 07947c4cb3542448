using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// Calls with an account's credentials: each waits for its place in the account's budget, and is made once more where
/// the credential was refused and there is another. Where all were refused, the answer says whether that is about what
/// was asked for or about the credentials, as far as it can be found out in time.
/// </summary>
internal sealed class AccountCalls(AccountGates gates, IOptionsMonitor<UpstreamOptions> upstream, TimeProvider clock)
{
    /// <param name="job">What is asked for; the default: something other than a job.</param>
    /// <param name="team">Whose turn it takes.</param>
    public AccountCall Begin(string account, JobAddress job, string team, CallRank rank) =>
        new(account, gates.Of(account), job, team, rank, clock.GetTimestamp());

    /// <param name="send">
    /// Makes one call; it may be made again with another credential. Where its end is far off, it says with the second
    /// argument what the beginning told.
    /// </param>
    public async Task<UpstreamAnswer> MakeAsync(AccountCall call, Func<Credential, Func<UpstreamAnswer, ValueTask>, Task<UpstreamAnswer>> send)
    {
        var entry = await EnterAsync(call, call.Rank);
        if (entry.Permit is not { } permit) return call.Last ?? UpstreamAnswer.Failed(entry.Fault, retryAfter: entry.RetryAfter);
        var answer = await SendAsync(permit, permit.Credential, send);
        List<Credential> refused = [permit.Credential];
        if (IsRefused(answer)) answer = await MakeWithOthersAsync(call, refused, answer, send);
        if (IsRefused(answer)) answer = await FindCauseAsync(call, refused, answer);
        call.Last = answer;
        return answer;
    }

    private async Task<UpstreamAnswer> FindCauseAsync(AccountCall call, List<Credential> refused, UpstreamAnswer answer)
    {
        foreach (var credential in refused)
        {
            switch (await call.Gate.FindCauseAsync(credential, MaxWaitOf(call)))
            {
                case RefusalCause.Credential:
                    continue;
                case RefusalCause.Job:
                    return answer with { Fault = UpstreamFault.JobRefused };
                default:
                    return answer;
            }
        }
        return UpstreamAnswer.Failed(UpstreamFault.CredentialDead, answer.Status);
    }

    // Another is one that it was replaced by meanwhile, perhaps more than once, or the next one.
    private async Task<UpstreamAnswer> MakeWithOthersAsync(
        AccountCall call, List<Credential> refused, UpstreamAnswer answer,
        Func<Credential, Func<UpstreamAnswer, ValueTask>, Task<UpstreamAnswer>> send)
    {
        while (IsRefused(answer) && await call.Gate.OtherThanAsync(refused) is { } other)
        {
            var again = await EnterAsync(call, CallRank.OtherCredential);
            if (again.Permit is not { } second) break;
            answer = await SendAsync(second, other, send, refused[^1]);
            refused.Add(other);
        }
        return answer;
    }

    private static bool IsRefused(in UpstreamAnswer answer) => answer is { Fault: UpstreamFault.None, Status: 401 or 403 };

    private ValueTask<Entry> EnterAsync(AccountCall call, CallRank rank) =>
        call.Gate.EnterAsync(rank, call.Team, call.Job, MaxWaitOf(call));

    private TimeSpan MaxWaitOf(AccountCall call)
    {
        var options = upstream.CurrentValue;
        var maxWait = options.Accounts.GetValueOrDefault(call.Account)?.QueueTimeout ?? TimeSpan.Zero;
        var left = options.Timeout - clock.GetElapsedTime(call.Started);
        var atMost = Least(maxWait, Least(options.Timeout / 2, left));
        return atMost > TimeSpan.Zero ? atMost : TimeSpan.Zero;
    }

    private static async Task<UpstreamAnswer> SendAsync(
        CallPermit permit, Credential credential, Func<Credential, Func<UpstreamAnswer, ValueTask>, Task<UpstreamAnswer>> send, Credential? refused = null)
    {
        var answer = UpstreamAnswer.Failed(UpstreamFault.TimedOut);
        try
        {
            permit.GoOut();
            return answer = await send(credential, answer => TellAsync(answer, isOver: false));
        }
        finally
        {
            await TellAsync(answer, isOver: true);
        }

        ValueTask TellAsync(UpstreamAnswer answer, bool isOver)
        {
            var end = EndOf(answer);
            if (end == CallEnd.Refused && refused is not null) end = CallEnd.RefusedTwice;
            // If this one is accepted, the one before is dead.
            var isAccepted = end is CallEnd.Accepted or CallEnd.Missing;
            var superseded = isAccepted ? refused : null;
            return permit.TellAsync(end, credential, isOver, answer.RetryAfter, superseded, answer.Status == 401);
        }
    }

    private static TimeSpan Least(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>What an answer says of the account.</summary>
    public static CallEnd EndOf(in UpstreamAnswer answer) => answer switch
    {
        { Fault: UpstreamFault.CallerGone } => CallEnd.Unknown,
        { Fault: UpstreamFault.HeaderTooLarge } => CallEnd.Answered,
        { Fault: UpstreamFault.Unreachable or UpstreamFault.NameNotResolved } => CallEnd.Failed,
        { Fault: UpstreamFault.TimedOut or UpstreamFault.TlsTimedOut } => CallEnd.Failed,
        { Fault: UpstreamFault.TlsFailed or UpstreamFault.ProtocolError } => CallEnd.Failed,
        { Status: >= 500 } => CallEnd.Failed,
        { Status: (>= 200 and < 300) or 304 } => CallEnd.Accepted,
        { Status: 404 or 410 } => CallEnd.Missing,
        { Status: 401 or 403 } => CallEnd.Refused,
        { Status: 429 } => CallEnd.Busy,
        { Status: > 0 } => CallEnd.Answered,
        _ => CallEnd.Unknown,
    };
}

/// <summary>One question to the upstream, however many calls it takes.</summary>
internal sealed record AccountCall(string Account, AccountGate Gate, JobAddress Job, string Team, CallRank Rank, long Started)
{
    /// <summary>What the last call brought; it stands where no further call may go out.</summary>
    public UpstreamAnswer? Last { get; set; }
}
