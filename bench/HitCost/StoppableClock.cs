namespace Gateway.HitCost;

/// <summary>
/// The system's clock, until it is stopped. Counting a hit instruction by instruction takes seconds. Without this, some
/// of the counted hits would be the first of their second, which formats the fields that change with time.
/// </summary>
internal sealed class StoppableClock : TimeProvider
{
    private long _utcTicks, _timestamp;

    public void Stop()
    {
        Volatile.Write(ref _timestamp, System.GetTimestamp());
        Volatile.Write(ref _utcTicks, System.GetUtcNow().UtcTicks);
    }

    public override DateTimeOffset GetUtcNow() =>
        Volatile.Read(ref _utcTicks) is var ticks and not 0 ? new(ticks, TimeSpan.Zero) : System.GetUtcNow();

    public override long GetTimestamp() =>
        Volatile.Read(ref _utcTicks) != 0 ? Volatile.Read(ref _timestamp) : System.GetTimestamp();
}
