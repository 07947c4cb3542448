namespace Gateway.Operations;

/// <summary>
/// The time by which this process measures durations: ages, lifetimes, back-offs, quotas. It never goes back. It begins as
/// the wall clock and goes on with the monotonic clock, so that it runs on evenly where the wall clock is set back. Where
/// the wall clock is found ahead, because it was set forwards or because the machine was suspended, it goes ahead as well:
/// a lifetime that has ended by the wall clock has ended here.
/// </summary>
/// <remarks>
/// The wall clock still says what is about the calendar: when a key, a token or a signed URL expires, and what is shown to
/// people. A time by one clock is converted to the other where it crosses the border, such as on its way to Redis.
/// Reading this clock takes no lock and allocates nothing.
/// </remarks>
internal sealed class SteadyClock
{
    /// <summary>A step of the wall clock that is smaller is not noticed, unless several of them add up.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(250);

    // The wall clock is looked at so often at most: a look at both clocks is twice the cost of a look at one.
    private const int LooksASecond = 100;

    // A thread may be held up between its looks at the two clocks.
    private const int MaxTries = 10;

    private readonly TimeProvider _clock;
    private readonly Lock _anchoring = new();
    private readonly double _ticksPerStamp;
    private readonly long _betweenLooks, _mostApart;
    private volatile Anchor _anchor;

    public SteadyClock(TimeProvider clock)
    {
        _clock = clock;
        _ticksPerStamp = (double)TimeSpan.TicksPerSecond / clock.TimestampFrequency;
        _betweenLooks = Math.Max(1, clock.TimestampFrequency / LooksASecond);
        _mostApart = Math.Max(1, clock.TimestampFrequency / 1000);
        var (timestamp, wall, _) = ReadBoth();
        _anchor = new Anchor(timestamp, wall, wall, timestamp + _betweenLooks);
    }

    /// <summary>What time it is, with the offset of UTC.</summary>
    public DateTimeOffset Now => new(Ticks, TimeSpan.Zero);

    /// <summary>The same in microseconds since 1970.</summary>
    public double Microseconds => (Ticks - DateTime.UnixEpoch.Ticks) / (double)TimeSpan.TicksPerMicrosecond;

    /// <summary>How far this clock is ahead of the wall clock; zero as long as that was never set back.</summary>
    public TimeSpan Lead
    {
        get
        {
            _ = Ticks;
            var anchor = _anchor;
            return new TimeSpan(anchor.Ticks - anchor.Wall);
        }
    }

    private long Ticks
    {
        get
        {
            var timestamp = _clock.GetTimestamp();
            var anchor = _anchor;
            if (timestamp >= Volatile.Read(ref anchor.NextLook)) (anchor, timestamp) = Look(anchor, timestamp);
            return anchor.Ticks + TicksOf(timestamp - anchor.Timestamp);
        }
    }

    /// <summary>A time by this clock, by the wall clock.</summary>
    public DateTimeOffset ToWall(DateTimeOffset time) => time - Lead;

    /// <summary>A time by the wall clock, by this one.</summary>
    public DateTimeOffset FromWall(DateTimeOffset time) => time + Lead;

    // One thread looks; the others go on as before.
    private (Anchor Anchor, long Timestamp) Look(Anchor anchor, long timestamp)
    {
        var due = Volatile.Read(ref anchor.NextLook);
        if (timestamp < due || Interlocked.CompareExchange(ref anchor.NextLook, timestamp + _betweenLooks, due) != due) return (anchor, timestamp);
        if (!IsStep(StepSince(anchor, timestamp, _clock.GetUtcNow().UtcTicks))) return (anchor, timestamp);
        lock (_anchoring)
        {
            Reanchor();
            return (_anchor, _clock.GetTimestamp());
        }
    }

    private void Reanchor()
    {
        var anchor = _anchor;
        var (timestamp, wall, isSure) = ReadBoth();
        var step = StepSince(anchor, timestamp, wall);
        if (!isSure || !IsStep(step)) return;
        // A microsecond more than has passed, for times are cut off to whole ticks and must not go back for that.
        var ticks = anchor.Ticks + TicksOf(timestamp - anchor.Timestamp) + Math.Max(step, TimeSpan.TicksPerMicrosecond);
        _anchor = new Anchor(timestamp, wall, ticks, timestamp + _betweenLooks);
    }

    // By how much more the wall clock has gone on than time has passed: since the last step, not in all, for a step forwards
    // counts also where the clock was set back before.
    private long StepSince(Anchor anchor, long timestamp, long wall) => wall - anchor.Wall - TicksOf(timestamp - anchor.Timestamp);

    private static bool IsStep(long ticks) => Math.Abs(ticks) > Tolerance.Ticks;

    private (long Timestamp, long Wall, bool IsSure) ReadBoth()
    {
        var (best, wallThen, closest) = (0L, 0L, long.MaxValue);
        for (var tries = 0; tries < MaxTries && closest > _mostApart; tries++)
        {
            var before = _clock.GetTimestamp();
            var wall = _clock.GetUtcNow().UtcTicks;
            var apart = _clock.GetTimestamp() - before;
            if (apart < closest) (best, wallThen, closest) = (before, wall, apart);
        }
        return (best, wallThen, TicksOf(closest) < Tolerance.Ticks / 2);
    }

    private long TicksOf(long stamps) => (long)(stamps * _ticksPerStamp);

    /// <summary>One moment by the three clocks: the monotonic one, the wall clock and this one.</summary>
    private sealed class Anchor(long timestamp, long wall, long ticks, long nextLook)
    {
        public readonly long Timestamp = timestamp, Wall = wall, Ticks = ticks;

        /// <summary>From this timestamp on, the wall clock is to be looked at again.</summary>
        public long NextLook = nextLook;
    }
}
