namespace Gateway.Runtime;

/// <summary>
/// The clock for durations: ages, lifetimes, back-offs and quotas. It never goes back. It starts at the wall clock's
/// time and advances with the monotonic clock, so it is not affected when the wall clock is set back. If the wall clock
/// jumps forward, because it was set or the machine was suspended, this clock jumps as well: a lifetime that has ended
/// by the wall clock has ended here.
/// </summary>
/// <remarks>
/// Calendar dates use the wall clock: the expiry of a key, a token or a signed URL, and times shown to people. A time
/// is converted between the clocks when it enters or leaves the process, for example to Redis. Reading this clock takes
/// no lock and allocates nothing.
/// </remarks>
internal sealed class SteadyClock
{
    /// <summary>
    /// The smallest step of the wall clock that is noticed. Smaller steps add up until they are noticed.
    /// </summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(250);

    // The wall clock is read at most this often, because reading both clocks costs twice as much as reading one.
    private const int LooksASecond = 100;

    // A thread may be paused between the readings of the two clocks.
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

    /// <summary>The current time, in UTC.</summary>
    public DateTimeOffset Now => new(Ticks, TimeSpan.Zero);

    /// <summary>The current time in microseconds since 1970.</summary>
    public double Microseconds => (Ticks - DateTime.UnixEpoch.Ticks) / (double)TimeSpan.TicksPerMicrosecond;

    /// <summary>The lead of this clock over the wall clock; zero until the wall clock is set back.</summary>
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

    /// <summary>Converts a time of this clock to the wall clock.</summary>
    public DateTimeOffset ToWall(DateTimeOffset time) => Add(time, -Lead);

    /// <summary>Converts a time of the wall clock to this clock.</summary>
    public DateTimeOffset FromWall(DateTimeOffset time) => Add(time, Lead);

    /// <summary>Adds a duration. The result is limited to the range of <see cref="DateTimeOffset"/>.</summary>
    public static DateTimeOffset Add(DateTimeOffset time, TimeSpan by) =>
        by > DateTimeOffset.MaxValue - time ? DateTimeOffset.MaxValue
        : by < DateTimeOffset.MinValue - time ? DateTimeOffset.MinValue
        : time + by;

    private void LookIfDue(long timestamp)
    {
        if (timestamp >= Volatile.Read(ref _nextLook)) Look(timestamp);
    }

    // One thread compares the clocks; the others do not wait for it.
    private void Look(long timestamp)
    {
        var due = Volatile.Read(ref _nextLook);
        var next = timestamp + _betweenLooks;
        if (timestamp < due || Interlocked.CompareExchange(ref _nextLook, next, due) != due) return;
        if (!IsStep(WallAtStart(timestamp, _clock.GetUtcNow().UtcTicks) - _atStart.Wall)) return;
        lock (_adjusting) Adjust();
    }

    private void Adjust()
    {
        var (timestamp, wallNow, isSure) = ReadBoth();
        var (wall, steady) = _atStart;
        // Compare with the last step, not with the start: a step forward counts even if the clock was set back before.
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
    /// The times of the wall clock and of this clock at the start of the process, as computed from their current times,
    /// in ticks.
    /// </summary>
    private sealed record Readings(long Wall, long Steady);
}
