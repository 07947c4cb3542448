namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A clock whose wall time can be set forwards and backwards. Its timestamps and timers come from another clock and
/// are not affected, like those of the system.
/// </summary>
internal sealed class SteppedClock(TimeProvider steady) : TimeProvider
{
    private long _offset;

    public override long TimestampFrequency => steady.TimestampFrequency;

    /// <summary>Sets the wall clock forwards, or backwards if the time is negative.</summary>
    public void Step(TimeSpan by) => Interlocked.Add(ref _offset, by.Ticks);

    public override DateTimeOffset GetUtcNow() => steady.GetUtcNow().AddTicks(Interlocked.Read(ref _offset));

    public override long GetTimestamp() => steady.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        steady.CreateTimer(callback, state, dueTime, period);
}
