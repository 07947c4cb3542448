namespace Gateway.Upstream;

/// <summary>
/// The circuit breaker of an account. The circuit opens if at least half of ten calls or more failed within some
/// seconds, for several jobs, and none was accepted since. If a known job exists, a trial with it decides; otherwise
/// ten different jobs must have failed. While the circuit is open, one half-open probe goes out each half second, until
/// one is answered. Times are microseconds, by the account's clock.
/// </summary>
internal sealed class CircuitBreaker
{
    /// <summary>The time between half-open probes.</summary>
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMilliseconds(500);

    /// <summary>The number of different jobs that must have failed if there is no known job.</summary>
    public const int LeastJobs = 10;

    // With fewer failing jobs, no trial is made.
    private const int LeastJobsForTrial = 2;

    private const int LeastCalls = 10;

    private const double Window = 5e6, LongestGap = 2 * Window;

    public bool IsOpen { get; set; }

    public double ProbeFrom { get; set; }

    /// <summary>Half-open probes under way.</summary>
    public int Probes { get; set; }

    /// <summary>Calls of this window and of the one before it.</summary>
    public int Good { get; set; }

    public int Bad { get; set; }

    public int GoodBefore { get; set; }

    public int BadBefore { get; set; }

    public double WindowUntil { get; set; }

    /// <summary>The numbers of jobs that failed since a call was last accepted.</summary>
    public List<int> Failing { get; set; } = [];

    /// <summary>When <see cref="Failing"/> is too old to count.</summary>
    public double FailingUntil { get; set; }

    /// <summary>The numbers of jobs that failed while others were accepted.</summary>
    public List<int> Broken { get; set; } = [];

    /// <summary>When a call was last accepted.</summary>
    public double GoodAt { get; set; }

    /// <summary>Whether so many calls failed, for several jobs, that a trial has to decide.</summary>
    public bool NeedsTrial() => !IsOpen && Failing.Count >= LeastJobsForTrial && HasFailedOften();

    /// <summary>Whether a job failed lately. A trial with it would show nothing.</summary>
    public bool HasFailed(int job) => Failing.Contains(job) || Broken.Contains(job);

    /// <summary>Bounds all times, in case they were written by another clock.</summary>
    public void Bound(double now)
    {
        ProbeFrom = Math.Min(ProbeFrom, now + BreakDuration.TotalMicroseconds);
        FailingUntil = Math.Min(FailingUntil, now + LongestGap);
        GoodAt = Math.Min(GoodAt, now);
        if (now >= FailingUntil) Failing.Clear();
    }

    /// <summary>Records that a half-open probe goes out. The next one does not wait for its outcome.</summary>
    public void StartProbe(double now)
    {
        Probes++;
        ProbeFrom = now + BreakDuration.TotalMicroseconds;
    }

    /// <summary>Records that a half-open probe was not made.</summary>
    public void CancelProbe() => Probes = Math.Max(0, Probes - 1);

    /// <summary>Records the outcome of a call.</summary>
    /// <param name="canTry">Whether there is a known job for a trial.</param>
    public void Record(in EndedCall call, bool canTry, double now)
    {
        var hasFailed = call.Outcome == CallOutcome.Failed;
        var wasProbe = call.IsProbe && Probes > 0;
        if (wasProbe) Probes--;
        // A probe that fails after another one has closed the circuit says nothing new.
        if (hasFailed && wasProbe && !IsOpen) return;
        Count(hasFailed, now);
        if (hasFailed) RecordFailure(call, canTry, now);
        else RecordAnswer(call, now);
    }

    private void RecordFailure(in EndedCall call, bool canTry, double now)
    {
        var isBroken = Broken.Contains(call.Job) && now - GoodAt < LongestGap;
        if (!isBroken)
        {
            if (!Failing.Contains(call.Job) && Failing.Count < LeastJobs) Failing.Add(call.Job);
            FailingUntil = now + LongestGap;
        }
        var isDecided = NeedsTrial() && (call.IsTrial || (!canTry && Failing.Count >= LeastJobs));
        if (IsOpen ? call.IsProbe : isDecided) Open(now);
    }

    private void RecordAnswer(in EndedCall call, double now)
    {
        // A refusal or a pause says nothing about other jobs, unless it is the answer to a trial.
        if (call.Outcome is CallOutcome.Accepted or CallOutcome.Missing || call.IsTrial) RecordSuccess(now);
        if (!IsOpen || !call.IsProbe) return;
        IsOpen = false;
        (Good, Bad, GoodBefore, BadBefore) = (1, 0, 0, 0);
        RecordSuccess(now);
    }

    private void Open(double now)
    {
        if (!IsOpen) Probes = 0;
        (IsOpen, ProbeFrom) = (true, now + BreakDuration.TotalMicroseconds);
    }

    private void RecordSuccess(double now)
    {
        GoodAt = now;
        foreach (var job in Failing) CredentialState.Remember(Broken, job);
        Failing.Clear();
    }

    private bool HasFailedOften()
    {
        var bad = Bad + BadBefore;
        var all = bad + Good + GoodBefore;
        return all >= LeastCalls && bad * 2 >= all;
    }

    private void Count(bool hasFailed, double now)
    {
        if (now >= WindowUntil || now < WindowUntil - Window)
        {
            (GoodBefore, BadBefore) = now < WindowUntil + Window ? (Good, Bad) : (0, 0);
            (Good, Bad, WindowUntil) = (0, 0, now + Window);
        }
        (Good, Bad) = hasFailed ? (Good, Bad + 1) : (Good + 1, Bad);
    }
}
