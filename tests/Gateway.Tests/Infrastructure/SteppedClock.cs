namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A clock whose wall time can be set forwards and backwards. Its timestamps and timers are those of another clock, and
/// go on as if nothing had happened, as the system's do.
/// </summary>
internal sealed class SteppedClock(TimeProvider steady) : TimeProvider
{
    private long _offset;

    public override long TimestampFrequency => steady.TimestampFrequency;

    /// <summary>Sets the wall clock forwards, or backwards where the time is negative.</summary>
    public void Step(TimeSpan by) => Interlocked.Add(ref _offset, by.Ticks);

    public override DateTimeOffset GetUtcNow() => steady.GetUtcNow().AddTicks(Interlocked.Read(ref _offset));

    public override long GetTimestamp() => steady.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        steady.CreateTimer(callback, state, dueTime, period);
}
