namespace Gateway.Upstream;

/// <summary>
/// The circuit breaker of an account: where calls fail, it opens, and lets one through each half a second, until one is
/// answered. Times are microseconds since 1970, by the account's clock.
/// </summary>
internal sealed class Circuit
{
    /// <summary>How long it lets nothing through, and then one call.</summary>
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMilliseconds(500);

    private const int LeastCalls = 10;

    private const double Window = 5e6;

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

    // Half of all, and not by chance.
    private bool HasFailedOften
    {
        get
        {
            var bad = Bad + BadBefore;
            var all = bad + Good + GoodBefore;
            return all >= LeastCalls && bad * 2 >= all;
        }
    }

    /// <summary>What lies further ahead than it could is from another clock, or from before that was set back.</summary>
    public void Bound(double now) => ProbeFrom = Math.Min(ProbeFrom, now + BreakDuration.TotalMicroseconds);

    /// <summary>Moves all its times, for the clock was set.</summary>
    public void Move(double by) => (ProbeFrom, WindowUntil) = (ProbeFrom + by, WindowUntil + by);

    /// <summary>Takes note that a call goes out though it is open; the next one goes when it is time, however this one ends.</summary>
    public void Probe(double now)
    {
        Probes++;
        ProbeFrom = now + BreakDuration.TotalMicroseconds;
    }

    /// <summary>Takes note of an answer, whatever it says, or of a failure.</summary>
    /// <param name="isTrial">Whether it was a call that was let through alone.</param>
    public void Note(bool hasFailed, bool isTrial, double now)
    {
        var wasProbe = isTrial && Probes > 0;
        if (wasProbe) Probes--;
        // One that has hung since before the upstream was well says nothing new.
        if (hasFailed && wasProbe && !IsOpen) return;
        Count(hasFailed, now);
        if (hasFailed && (IsOpen ? isTrial : HasFailedOften)) Open(now);
        else if (!hasFailed && IsOpen && isTrial) Close();
    }

    /// <summary>A probe that nobody has made.</summary>
    public void Forgo() => Probes = Math.Max(0, Probes - 1);

    private void Open(double now)
    {
        if (!IsOpen) Probes = 0;
        (IsOpen, ProbeFrom) = (true, now + BreakDuration.TotalMicroseconds);
    }

    private void Close()
    {
        IsOpen = false;
        (Good, Bad, GoodBefore, BadBefore) = (1, 0, 0, 0);
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
