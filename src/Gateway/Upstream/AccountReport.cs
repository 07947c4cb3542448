using Gateway.Limits;

namespace Gateway.Upstream;

/// <summary>In which order calls go out, where they wait.</summary>
internal enum CallRank
{
    /// <summary>The same question again, with another credential, for the first was refused.</summary>
    OtherCredential,

    /// <summary>Of a job that nobody has seen yet.</summary>
    FirstRead,

    /// <summary>Of a job of which there is a snapshot.</summary>
    Refresh,
}

/// <summary>How a call ended, as far as it concerns the account.</summary>
internal enum CallEnd
{
    /// <summary>Nothing was sent, or there is nothing to learn from it.</summary>
    Unknown,

    /// <summary>The upstream accepted the credential and gave what was asked for: 2xx or 304.</summary>
    Accepted,

    /// <summary>The upstream is there, and that is all there is to learn: 400, or what makes no sense.</summary>
    Answered,

    /// <summary>5xx, no answer in time, or no connection.</summary>
    Failed,

    /// <summary>The upstream accepted the credential, and has nothing of that name: 404 or 410.</summary>
    Missing,

    /// <summary>401 or 403: the upstream refuses this job, or the credential.</summary>
    Refused,

    /// <summary>The upstream refused the same job to a second credential.</summary>
    RefusedTwice,

    /// <summary>429.</summary>
    Busy,
}

/// <summary>What all nodes together may ask of the upstream with one account.</summary>
/// <param name="CallTime">No call lasts longer.</param>
/// <param name="Teams">How many teams are configured to use the account.</param>
internal readonly record struct AccountLimits(Gcra Budget, int MaxConcurrentRequests, TimeSpan CallTime, int Teams = 1)
{
    // A team may hold this many times as many calls as are left free once it has them.
    private const int HeldForEachFree = 3;

    public static AccountLimits Of(AccountOptions options, TimeSpan timeout, int teams) => new(
        new Gcra(1e6 / options.RequestsPerSecond, options.Burst), options.MaxConcurrentRequests,
        timeout + TimeSpan.FromSeconds(1), teams);

    /// <summary>
    /// Whether a team may have one more call under way. The bound falls as places get short, so that no team takes the
    /// last ones, and all teams that want more than their share end up with the same (a dynamic threshold). A team with
    /// no call under way may take any free place, and a team that has the account to itself may take all of them.
    /// </summary>
    /// <param name="held">Calls that the team has under way.</param>
    /// <param name="free">Places that nobody holds.</param>
    public bool MayTakePlace(int held, long free) =>
        free > 0 && (Teams <= 1 || held == 0 || held + 1 <= HeldForEachFree * (free - 1));

    /// <summary>The share of one of several nodes that cannot ask each other.</summary>
    public AccountLimits Share(int nodes) =>
        this with { Budget = Budget.Share(nodes), MaxConcurrentRequests = Math.Max(1, MaxConcurrentRequests / nodes) };
}

/// <summary>Calls that wait, of one rank and one team.</summary>
internal readonly record struct WaitingCalls(CallRank Rank, string Team, int Count);

/// <summary>A call that is over.</summary>
/// <param name="Credential">The fingerprint of what it was made with.</param>
/// <param name="Job">A number that stands for the job, the same on each node.</param>
/// <param name="IsTrial">Whether it was the one call that was let through.</param>
/// <param name="RetryAfter">Of <see cref="CallEnd.Busy"/>: as the upstream gave it.</param>
/// <param name="Supersedes">The fingerprint of the credential that was refused where this one was accepted.</param>
internal readonly record struct EndedCall(
    CallEnd End, string Credential, int Job = 0, bool IsTrial = false, TimeSpan? RetryAfter = null,
    string? Supersedes = null)
{
    /// <summary>The job, as <c>workflow/job</c>; null where something other than a job was asked for.</summary>
    public string? Address { get; init; }

    /// <summary>Whether it was a trial with a job that worked before, which no caller asked for.</summary>
    public bool IsOfKnownJob { get; init; }

    /// <summary>Of <see cref="CallEnd.Refused"/>: whether it was a 401.</summary>
    public bool IsUnauthorized { get; init; }

    /// <summary>How long ago the call was sent, in microseconds.</summary>
    public double Age { get; init; }
}

/// <summary>What a node tells of its calls, and asks for.</summary>
/// <param name="UnderWay">Calls that this node has under way.</param>
/// <param name="Credentials">The fingerprints of what it could call with, the first one first.</param>
/// <param name="SpentAlone">Calls made without asking, while there was nobody to ask.</param>
internal sealed record NodeReport(
    string Node, int UnderWay, WaitingCalls[] Waiting, EndedCall[] Ended, string[] Credentials, int SpentAlone = 0)
{
    /// <summary>Calls that this node has under way, by the team whose turn they took.</summary>
    public IReadOnlyDictionary<string, int> UnderWayByTeam { get; init; } = new Dictionary<string, int>();

    /// <summary>The longest that a call took to go out, for the machine is busy: the budget counts from then.</summary>
    public TimeSpan Late { get; init; }

    /// <summary>
    /// Those of them that were put there while the node ran: somebody says that they are good, whatever was known.
    /// </summary>
    public string[] Replaced { get; init; } = [];
}

/// <summary>Why no call may be made for a while, and until when, in microseconds since 1970.</summary>
internal readonly record struct Closed(UpstreamFault Reason, double Until);

/// <summary>What a node may do now.</summary>
/// <param name="Granted">For each call that may go out, whose it is.</param>
/// <param name="Credential">Which of the credentials to use.</param>
/// <param name="Standing">How the upstream takes it.</param>
/// <param name="AreTrials">Whether it is the one call that is let through.</param>
/// <param name="Closed">Null: calls go out as the budget allows.</param>
/// <param name="Wait">After this there may be more.</param>
internal sealed record NodeReply(List<(CallRank Rank, string Team)> Granted, int Credential, CredentialStanding Standing, bool AreTrials, Closed? Closed, TimeSpan Wait)
{
    /// <summary>Nothing was changed, and the node is to tell it again.</summary>
    public static readonly NodeReply NotHeard = new([], 0, CredentialStanding.Fine, AreTrials: false, Closed: null, TimeSpan.Zero);

    /// <summary>
    /// A job that worked before, as <c>workflow/job</c>: the node asks for it now with the credential, as a trial.
    /// Null: no trial.
    /// </summary>
    public string? TrialJob { get; init; }

    /// <summary>For each of the node's credentials, what the last refusal was about.</summary>
    public RefusalCause[] Causes { get; init; } = [];
}

/// <summary>What a refusal of the upstream (401 or 403) is about.</summary>
internal enum RefusalCause
{
    /// <summary>No trial is possible: it may be the job or the credential.</summary>
    Unknown,

    /// <summary>A trial decides about it.</summary>
    Pending,

    /// <summary>The job: the upstream accepts the credential for others.</summary>
    Job,

    /// <summary>The credential: it is dead.</summary>
    Credential,
}
