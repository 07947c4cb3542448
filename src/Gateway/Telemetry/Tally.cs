namespace Gateway.Telemetry;

/// <summary>A counter without contention: each core counts in a cache line of its own.</summary>
internal sealed class Tally
{
    // In longs.
    private const int CacheLine = 16;

    private readonly long[] _parts = new long[
        (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount) * CacheLine];

    public long Count
    {
        get
        {
            var count = 0L;
            for (var i = 0; i < _parts.Length; i += CacheLine) count += Interlocked.Read(ref _parts[i]);
            return count;
        }
    }

    public void Increment() =>
        Interlocked.Increment(ref _parts[Thread.GetCurrentProcessorId() * CacheLine & (_parts.Length - 1)]);
}
