namespace Gateway.Upstream;

/// <summary>The order in which waiting calls go out. The account's state stores these numbers.</summary>
internal enum CallRank
{
    /// <summary>A request that is repeated with another credential, because the first one was refused.</summary>
    OtherCredential = 0,

    /// <summary>A job without a snapshot.</summary>
    FirstRead = 1,

    /// <summary>A job with a snapshot.</summary>
    Refresh = 2,

    /// <summary>
    /// A poll of a watched job, which nobody waits for. It goes out only while no other call waits, and leaves the
    /// bucket nearly full. A node of an earlier version takes it for the rank after <see cref="Refresh"/>.
    /// </summary>
    Watch = 3,
}

/// <summary>The outcome of a call, as far as it concerns the account.</summary>
internal enum CallOutcome
{
    /// <summary>The call was not made, or its outcome says nothing.</summary>
    Unknown,

    /// <summary>2xx or 304: the upstream accepted the credential and returned the resource.</summary>
    Accepted,

    /// <summary>The upstream is reachable, but the answer says nothing else. An example is 400.</summary>
    Answered,

    /// <summary>5xx, no answer in time, or no connection.</summary>
    Failed,

    /// <summary>404 or 410: the upstream accepted the credential and does not have the resource.</summary>
    Missing,

    /// <summary>401 or 403: the upstream refused the job or the credential.</summary>
    Refused,

    /// <summary>The upstream refused the same job to a second credential.</summary>
    RefusedTwice,

    /// <summary>429.</summary>
    Busy,
}

/// <summary>The number of waiting calls of one rank and one team.</summary>
internal readonly record struct WaitingCalls(CallRank Rank, string Team, int Count);

/// <summary>A call whose outcome is known.</summary>
/// <param name="Credential">The fingerprint of the credential.</param>
/// <param name="Job">A number that identifies the job, the same on each node.</param>
/// <param name="IsProbe">Whether the call was let through alone, while other calls had to wait.</param>
/// <param name="RetryAfter">The upstream's <c>Retry-After</c>, for <see cref="CallOutcome.Busy"/>.</param>
/// <param name="Supersedes">The fingerprint of the credential that was refused before this one was accepted.</param>
internal readonly record struct EndedCall(
    CallOutcome Outcome, string Credential, int Job = 0, bool IsProbe = false, TimeSpan? RetryAfter = null,
    string? Supersedes = null)
{
    /// <summary>The job as <c>workflow/job</c>; null if the request was not for a job.</summary>
    public string? Address { get; init; }

    /// <summary>Whether the call was a trial: the gateway's own request for a known job.</summary>
    public bool IsTrial { get; init; }

    /// <summary>Whether the answer was 401, for <see cref="CallOutcome.Refused"/>.</summary>
    public bool IsUnauthorized { get; init; }

    /// <summary>The time since the call was sent, in microseconds.</summary>
    public double Age { get; init; }
}

/// <summary>A node's report about its calls, and its request for permits.</summary>
/// <param name="UnderWay">The node's calls under way, by the team whose turn they took.</param>
/// <param name="Credentials">The fingerprints of the credentials to use, in order of preference.</param>
/// <param name="SpentAlone">Calls that the node made while it could not reach Redis.</param>
internal sealed record NodeReport(
    string Node, IReadOnlyDictionary<string, int> UnderWay, WaitingCalls[] Waiting, EndedCall[] Ended,
    string[] Credentials, int SpentAlone = 0)
{
    /// <summary>
    /// The longest delay between a permit and its call on a busy machine. The budget counts from the call.
    /// </summary>
    public TimeSpan Late { get; init; }

    /// <summary>Credentials that were configured while the node ran. Earlier refusals do not count.</summary>
    public string[] Replaced { get; init; } = [];
}

/// <summary>Why and until when no call may be made. The time is in microseconds since 1970, by Redis's clock.</summary>
internal readonly record struct Closed(UpstreamFault Reason, double Until);

/// <summary>The reply to a node's report.</summary>
/// <param name="Granted">One item for each call that may go out.</param>
/// <param name="Credential">The index of the credential to use.</param>
/// <param name="Standing">The standing of that credential.</param>
/// <param name="IsProbe">Whether the granted call is a probe.</param>
/// <param name="Closed">Null: calls go out as the budget allows.</param>
/// <param name="Wait">The time after which the node reports again if calls still wait.</param>
internal sealed record NodeReply(
    List<(CallRank Rank, string Team)> Granted, int Credential, CredentialStanding Standing, bool IsProbe,
    Closed? Closed, TimeSpan Wait)
{
    /// <summary>The state was not changed. The node has to send the same report again.</summary>
    public static readonly NodeReply NotHeard =
        new([], 0, CredentialStanding.Fine, IsProbe: false, Closed: null, TimeSpan.Zero);

    /// <summary>
    /// The known job, as <c>workflow/job</c>, that the node requests now as a trial. Null: no trial.
    /// </summary>
    public string? TrialJob { get; init; }

    /// <summary>For each of the node's credentials, the cause of its last refusal.</summary>
    public RefusalCause[] Causes { get; init; } = [];
}

/// <summary>The cause of a 401 or 403.</summary>
internal enum RefusalCause
{
    /// <summary>No trial is possible. The cause may be the job or the credential.</summary>
    Unknown,

    /// <summary>A trial will find the cause.</summary>
    Pending,

    /// <summary>The job: the upstream accepts the credential for other jobs.</summary>
    Job,

    /// <summary>The credential: it is dead.</summary>
    Credential,
}
