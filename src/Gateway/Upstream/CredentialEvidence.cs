using System.Security.Cryptography;
using System.Text;

namespace Gateway.Upstream;

/// <summary>
/// What speaks for and against one credential. Times are microseconds since 1970, by the account's clock. A call counts
/// from when it was sent: an answer that comes late says nothing of a credential that was revoked meanwhile.
/// </summary>
internal sealed class CredentialEvidence
{
    /// <summary>
    /// So many different jobs refused, and none accepted, put a credential half-open where no job is known to work.
    /// </summary>
    public const int HalfOpenAfter = 5;

    /// <summary>
    /// A refusal within this time of an accepted trial is about the job: trials are no more frequent.
    /// </summary>
    public const double BetweenTrials = AccountHealth.Second;

    /// <summary>
    /// A job that was refused while others were accepted casts no doubt for so long after one was accepted.
    /// </summary>
    public const double Certainty = 10 * AccountHealth.Second;

    // So many known jobs must be refused before a credential is dead, the last one by a trial.
    private const int JobsThatDecide = 2;

    private const int RememberedJobs = 4, RememberedRefusals = 32;

    /// <summary>
    /// Jobs that were accepted, as <c>workflow/job</c>, the last one first; of as many workflows as there were.
    /// </summary>
    public List<string> Jobs { get; set; } = [];

    /// <summary>When the latest call that was accepted was sent.</summary>
    public double AcceptedAt { get; set; }

    /// <summary>When the latest trial with a known job that was accepted was sent.</summary>
    public double TrialAcceptedAt { get; set; }

    /// <summary>When the latest call that was refused, and casts doubt on the credential, was sent.</summary>
    public double SuspectAt { get; set; }

    /// <summary>Jobs that were refused since one was accepted, by number.</summary>
    public List<int> Refused { get; set; } = [];

    /// <summary>Jobs that were refused while others were accepted, by number.</summary>
    public List<int> RefusedThough { get; set; } = [];

    /// <summary>
    /// When the first and the last of <see cref="Refused"/> were refused, and when they were enough to go half-open.
    /// </summary>
    public double RefusedSince { get; set; }

    public double RefusedAt { get; set; }

    public double HalfOpenSince { get; set; }

    /// <summary>Whether one of <see cref="Refused"/> was a 401.</summary>
    public bool IsUnauthorized { get; set; }

    /// <summary>
    /// Those of <see cref="Jobs"/> that were refused since one was accepted, by number: to callers or in trials.
    /// </summary>
    public List<int> RefusedKnown { get; set; } = [];

    /// <summary>Trials so far: each takes another of the known jobs.</summary>
    public int Trials { get; set; }

    /// <summary>When the call was sent that showed that the credential is dead. 0: none has.</summary>
    public double DeadFrom { get; set; }

    /// <summary>Whether a refusal casts doubt on the credential, and nothing has been accepted since.</summary>
    public bool IsSuspect() =>
        SuspectAt > AcceptedAt && (TrialAcceptedAt == 0 || SuspectAt > TrialAcceptedAt + BetweenTrials);

    /// <summary>
    /// Whether so many jobs were refused that it may be the credential, and no job is known with which to find out:
    /// then one call at a time goes out.
    /// </summary>
    public bool IsHalfOpen() => Refused.Count >= HalfOpenAfter && NextJob(_ => false) is null;

    /// <summary>A clock that was set back, or another's, leaves nothing in the future.</summary>
    public void Bound(double now, double longest)
    {
        AcceptedAt = Math.Min(AcceptedAt, now);
        TrialAcceptedAt = Math.Min(TrialAcceptedAt, now);
        SuspectAt = Math.Min(SuspectAt, now);
        RefusedSince = Math.Min(RefusedSince, now);
        RefusedAt = Math.Min(RefusedAt, now);
        HalfOpenSince = Math.Min(HalfOpenSince, now);
        DeadFrom = Math.Min(DeadFrom, now);
        if (now - RefusedAt <= longest) return;
        Refused.Clear();
        RefusedKnown.Clear();
    }

    /// <summary>Moves all its times, for the clock was set. What never happened stays so.</summary>
    public void Move(double by)
    {
        AcceptedAt = Moved(AcceptedAt);
        TrialAcceptedAt = Moved(TrialAcceptedAt);
        SuspectAt = Moved(SuspectAt);
        RefusedSince = Moved(RefusedSince);
        RefusedAt = Moved(RefusedAt);
        HalfOpenSince = Moved(HalfOpenSince);
        DeadFrom = Moved(DeadFrom);

        double Moved(double time) => time > 0 ? time + by : time;
    }

    /// <summary>Takes note that a call was accepted.</summary>
    /// <param name="job">What it asked for; null where that is of no use for a trial.</param>
    public void Accept(string? job, double sent, bool isTrial)
    {
        AcceptedAt = Math.Max(AcceptedAt, sent);
        if (isTrial) TrialAcceptedAt = Math.Max(TrialAcceptedAt, sent);
        if (job is not null)
        {
            RememberJob(job);
            if (RefusedThough.Count > 0) RefusedThough.Remove(NumberOf(job));
        }
        if (sent < SuspectAt) return;
        foreach (var refused in Refused) Remember(RefusedThough, refused);
        Jobs.RemoveAll(known => known != job && RefusedKnown.Contains(NumberOf(known)));
        Refused.Clear();
        RefusedKnown.Clear();
        IsUnauthorized = false;
    }

    /// <summary>Takes note that the upstream refused a job.</summary>
    /// <returns>Whether that casts doubt on the credential.</returns>
    public bool Refuse(int job, bool isUnauthorized, double sent, double now)
    {
        var isKnown = RefusedThough.Contains(job);
        var isAboutJob = AcceptedAt > 0 && sent <= AcceptedAt + (isKnown ? Certainty : 0);
        if (isAboutJob || (TrialAcceptedAt > 0 && sent <= TrialAcceptedAt + BetweenTrials))
        {
            Remember(RefusedThough, job);
            return false;
        }
        if (Refused.Count == 0) (RefusedSince, IsUnauthorized) = (now, false);
        (RefusedAt, SuspectAt) = (now, Math.Max(SuspectAt, sent));
        IsUnauthorized |= isUnauthorized;
        if (Jobs.Exists(known => NumberOf(known) == job)) Remember(RefusedKnown, job);
        if (Refused.Count >= HalfOpenAfter || Refused.Contains(job)) return true;
        Refused.Add(job);
        if (Refused.Count == HalfOpenAfter) HalfOpenSince = now;
        return true;
    }

    /// <summary>Takes note that a trial with a known job was refused.</summary>
    /// <returns>Whether the credential is dead.</returns>
    public bool RefuseTrial(string? job, int number, double sent)
    {
        if (sent <= AcceptedAt)
        {
            // A call that was sent later was accepted: this job alone is refused now.
            if (job is not null) Jobs.Remove(job);
            Remember(RefusedThough, number);
            return false;
        }
        Remember(RefusedKnown, number);
        SuspectAt = Math.Max(SuspectAt, sent);
        return RefusedKnown.Count >= Math.Min(JobsThatDecide, Jobs.Count);
    }

    /// <summary>The known job to try next, which was not refused since; null where there is none.</summary>
    /// <param name="isExcluded">Jobs that are of no use for it.</param>
    public string? NextJob(Func<int, bool> isExcluded)
    {
        var known = Jobs.FindAll(job => NumberOf(job) is var number && !RefusedKnown.Contains(number)
            && !isExcluded(number));
        return known.Count == 0 ? null : known[Trials % known.Count];
    }

    /// <summary>
    /// The known job to find out with whether there was a recovery: any of them, in turn. Null: there is none.
    /// </summary>
    public string? NextJobOfAll() => Jobs.Count == 0 ? null : Jobs[Trials % Jobs.Count];

    /// <summary>Forgets a known job that the upstream has no longer.</summary>
    public void Forget(string job) => Jobs.Remove(job);

    /// <summary>Somebody has put the credential back: it has a new chance.</summary>
    public void Forgive()
    {
        Refused.Clear();
        RefusedKnown.Clear();
        (SuspectAt, DeadFrom, IsUnauthorized) = (0, 0, false);
    }

    /// <summary>Adds what another has seen.</summary>
    public void Merge(CredentialEvidence other)
    {
        for (var i = other.Jobs.Count - 1; i >= 0; i--)
        {
            if (!Jobs.Contains(other.Jobs[i])) RememberJob(other.Jobs[i]);
        }
        AcceptedAt = Math.Max(AcceptedAt, other.AcceptedAt);
        TrialAcceptedAt = Math.Max(TrialAcceptedAt, other.TrialAcceptedAt);
        DeadFrom = Math.Max(DeadFrom, other.DeadFrom);
        foreach (var job in other.RefusedThough) Remember(RefusedThough, job);
    }

    /// <summary>A number that stands for a job, the same on each node.</summary>
    public static int NumberOf(string address) =>
        BitConverter.ToInt32(SHA256.HashData(Encoding.ASCII.GetBytes(address)));

    // One workflow may be taken from the account: jobs of others are kept as long as there are any.
    private void RememberJob(string job)
    {
        if (Jobs.Count > 0 && Jobs[0] == job) return;
        Jobs.Remove(job);
        Jobs.Insert(0, job);
        if (Jobs.Count <= RememberedJobs) return;
        var surplus = Jobs.FindLastIndex(one =>
            Jobs.Exists(other => other != one && WorkflowOf(other).SequenceEqual(WorkflowOf(one))));
        Jobs.RemoveAt(surplus < 0 ? Jobs.Count - 1 : surplus);
    }

    private static ReadOnlySpan<char> WorkflowOf(string job) =>
        job.AsSpan(0, Math.Max(0, job.IndexOf('/', StringComparison.Ordinal)));

    private static void Remember(List<int> list, int job)
    {
        if (list.Contains(job)) return;
        list.Add(job);
        if (list.Count > RememberedRefusals) list.RemoveAt(0);
    }
}
