namespace Gateway.Upstream;

/// <summary>
/// The circuit breaker of an account. It opens where at least half of ten calls or more have failed within some
/// seconds, of several jobs, and none was accepted since. Where a job is known that worked before, a trial with it
/// decides; else ten different jobs must have failed. While it is open, one call goes out each half a second, until one
/// is answered. Times are microseconds since 1970, by the account's clock.
/// </summary>
internal sealed class Circuit
{
    /// <summary>How long it lets nothing through, and then one call.</summary>
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMilliseconds(500);

    /// <summary>So many different jobs must fail where no job is known that worked before.</summary>
    public const int LeastJobs = 10;

    /// <summary>Below this many jobs it is a matter of these jobs.</summary>
    private const int LeastJobsForTrial = 2;

    private const int LeastCalls = 10, RememberedJobs = 32;

    private const double Window = 5e6, LongestGap = 2 * Window;

    public bool IsOpen { get; set; }

    public double ProbeFrom { get; set; }

    /// <summary>Calls under way that were let through while it was open.</summary>
    public int Probes { get; set; }

    /// <summary>Calls of this window and the one before it.</summary>
    public int Good { get; set; }

    public int Bad { get; set; }

    public int GoodBefore { get; set; }

    public int BadBefore { get; set; }

    public double WindowUntil { get; set; }

    /// <summary>
    /// Jobs that failed since a call was last accepted, by number, and when that is too long ago to count.
    /// </summary>
    public List<int> Failing { get; set; } = [];

    public double FailingUntil { get; set; }

    /// <summary>Jobs that failed while others were accepted, by number, and when one was last accepted.</summary>
    public List<int> Broken { get; set; } = [];

    public double GoodAt { get; set; }

    /// <summary>Whether calls fail so often, and of several jobs, that a trial is to decide.</summary>
    public bool IsDoubtful() => !IsOpen && Failing.Count >= LeastJobsForTrial && HasFailedOften();

    /// <summary>Whether a job has failed lately, so that a trial with it shows nothing.</summary>
    public bool HasFailed(int job) => Failing.Contains(job) || Broken.Contains(job);

    /// <summary>
    /// What lies further ahead than it could is from another clock, or from before that was set back.
    /// </summary>
    public void Bound(double now)
    {
        ProbeFrom = Math.Min(ProbeFrom, now + BreakDuration.TotalMicroseconds);
        FailingUntil = Math.Min(FailingUntil, now + LongestGap);
        GoodAt = Math.Min(GoodAt, now);
        if (now >= FailingUntil) Failing.Clear();
    }

    /// <summary>Moves all its times, for the clock was set.</summary>
    public void Move(double by)
    {
        (ProbeFrom, WindowUntil, FailingUntil) = (ProbeFrom + by, WindowUntil + by, FailingUntil + by);
        if (GoodAt > 0) GoodAt += by;
    }

    /// <summary>
    /// Takes note that a call goes out though it is open; the next one goes when it is time, however this one ends.
    /// </summary>
    public void Probe(double now)
    {
        Probes++;
        ProbeFrom = now + BreakDuration.TotalMicroseconds;
    }

    /// <summary>Takes note of an answer, whatever it says, or of a failure.</summary>
    /// <param name="canTry">Whether a job is known that worked before, with which a trial can be made.</param>
    public void Note(in EndedCall call, bool canTry, double now)
    {
        var hasFailed = call.End == CallEnd.Failed;
        var wasProbe = call.IsTrial && Probes > 0;
        if (wasProbe) Probes--;
        // One that has hung since before the upstream was well says nothing new.
        if (hasFailed && wasProbe && !IsOpen) return;
        Count(hasFailed, now);
        if (hasFailed) Fail(call, canTry, now);
        else Answer(call, now);
    }

    /// <summary>A probe that nobody has made.</summary>
    public void ForgetProbe() => Probes = Math.Max(0, Probes - 1);

    private void Fail(in EndedCall call, bool canTry, double now)
    {
        var isBroken = Broken.Contains(call.Job) && now - GoodAt < LongestGap;
        if (!isBroken)
        {
            if (!Failing.Contains(call.Job) && Failing.Count < LeastJobs) Failing.Add(call.Job);
            FailingUntil = now + LongestGap;
        }
        var isDecided = IsDoubtful() && (call.IsOfKnownJob || (!canTry && Failing.Count >= LeastJobs));
        if (IsOpen ? call.IsTrial : isDecided) Open(now);
    }

    private void Answer(in EndedCall call, double now)
    {
        // A refusal, or a pause, says nothing of how other jobs fare, unless it is the answer to a trial.
        if (call.End is CallEnd.Accepted or CallEnd.Missing || call.IsOfKnownJob) NoteGood(now);
        if (IsOpen && call.IsTrial) Close(now);
    }

    private void Open(double now)
    {
        if (!IsOpen) Probes = 0;
        (IsOpen, ProbeFrom) = (true, now + BreakDuration.TotalMicroseconds);
    }

    private void Close(double now)
    {
        IsOpen = false;
        (Good, Bad, GoodBefore, BadBefore) = (1, 0, 0, 0);
        NoteGood(now);
    }

    private void NoteGood(double now)
    {
        GoodAt = now;
        foreach (var job in Failing)
        {
            if (Broken.Contains(job)) continue;
            Broken.Add(job);
            if (Broken.Count > RememberedJobs) Broken.RemoveAt(0);
        }
        Failing.Clear();
    }

    // Half of all, and not by chance.
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
