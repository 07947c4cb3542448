namespace Gateway.Runtime;

/// <summary>
/// The time by which this process measures durations: ages, lifetimes, back-offs, quotas. It never goes back. It begins
/// as the wall clock and goes on with the monotonic clock, so that it runs on evenly where the wall clock is set back.
/// Where the wall clock is found ahead, because it was set forwards or because the machine was suspended, it goes ahead
/// as well: a lifetime that has ended by the wall clock has ended here.
/// </summary>
/// <remarks>
/// The wall clock still decides what is about the calendar: when a key, a token or a signed URL expires, and what is
/// shown to people. A time by one clock is converted to the other where it enters or leaves the process, such as to
/// Redis. Reading this clock takes no lock and allocates nothing.
/// </remarks>
internal sealed class SteadyClock
{
    /// <summary>The least step of the wall clock that is noticed. Smaller ones add up until they are noticed.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(250);

    // How often the wall clock is read at most: reading both clocks costs twice as much as reading one.
    private const int LooksASecond = 100;

    // A thread may be held up between reading the one clock and the other.
    private const int MaxTries = 10;

    private readonly TimeProvider _clock;
    private readonly Lock _adjusting = new();
    private readonly double _ticksPerStamp;
    private readonly long _start, _betweenLooks, _mostApart;
    private volatile Readings _atStart;
    private long _nextLook;

    public SteadyClock(TimeProvider clock)
    {
        _clock = clock;
        _ticksPerStamp = (double)TimeSpan.TicksPerSecond / clock.TimestampFrequency;
        _betweenLooks = Math.Max(1, clock.TimestampFrequency / LooksASecond);
        _mostApart = Math.Max(1, clock.TimestampFrequency / 1000);
        (_start, var wall, _) = ReadBoth();
        _atStart = new Readings(wall, wall);
        _nextLook = _start + _betweenLooks;
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
            LookIfDue(_clock.GetTimestamp());
            var (wall, steady) = _atStart;
            return new TimeSpan(steady - wall);
        }
    }

    private long Ticks
    {
        get
        {
            var timestamp = _clock.GetTimestamp();
            LookIfDue(timestamp);
            return _atStart.Steady + SinceStart(timestamp);
        }
    }

    /// <summary>A time by this clock, by the wall clock.</summary>
    public DateTimeOffset ToWall(DateTimeOffset time) => Add(time, -Lead);

    /// <summary>A time by the wall clock, by this one.</summary>
    public DateTimeOffset FromWall(DateTimeOffset time) => Add(time, Lead);

    /// <summary>A time so much later, or the last or the first that there is.</summary>
    public static DateTimeOffset Add(DateTimeOffset time, TimeSpan by) =>
        by > DateTimeOffset.MaxValue - time ? DateTimeOffset.MaxValue
        : by < DateTimeOffset.MinValue - time ? DateTimeOffset.MinValue
        : time + by;

    private void LookIfDue(long timestamp)
    {
        if (timestamp >= Volatile.Read(ref _nextLook)) Look(timestamp);
    }

    // One thread looks; the others go on as before.
    private void Look(long timestamp)
    {
        var due = Volatile.Read(ref _nextLook);
        if (timestamp < due || Interlocked.CompareExchange(ref _nextLook, timestamp + _betweenLooks, due) != due) return;
        if (!IsStep(WallAtStart(timestamp, _clock.GetUtcNow().UtcTicks) - _atStart.Wall)) return;
        lock (_adjusting) Adjust();
    }

    private void Adjust()
    {
        var (timestamp, wallNow, isSure) = ReadBoth();
        var (wall, steady) = _atStart;
        // Since the last step, not in all: a step forwards counts also where the clock was set back before.
        var step = WallAtStart(timestamp, wallNow) - wall;
        if (isSure && IsStep(step)) _atStart = new Readings(wall + step, steady + Math.Max(0, step));
    }

    private (long Timestamp, long Wall, bool IsSure) ReadBoth()
    {
        var (timestamp, wall, closest) = (0L, 0L, long.MaxValue);
        for (var tries = 0; tries < MaxTries && closest > _mostApart; tries++)
        {
            var before = _clock.GetTimestamp();
            var then = _clock.GetUtcNow().UtcTicks;
            var apart = _clock.GetTimestamp() - before;
            if (apart < closest) (timestamp, wall, closest) = (before, then, apart);
        }
        return (timestamp, wall, closest * _ticksPerStamp < Tolerance.Ticks / 2);
    }

    private static bool IsStep(long ticks) => Math.Abs(ticks) > Tolerance.Ticks;

    private long WallAtStart(long timestamp, long wallNow) => wallNow - SinceStart(timestamp);

    private long SinceStart(long timestamp) => (long)((timestamp - _start) * _ticksPerStamp);

    /// <summary>
    /// What the wall clock and this one would have said at the start, going by what they say now; in ticks.
    /// </summary>
    private sealed record Readings(long Wall, long Steady);
}
