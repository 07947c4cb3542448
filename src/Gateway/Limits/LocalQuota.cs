namespace Gateway.Limits;

/// <summary>A token bucket in this process, without a lock.</summary>
internal sealed class LocalQuota(Gcra arithmetic, double restored)
{
    private double _restored = restored;

    public Gcra Arithmetic => arithmetic;

    public long Available(double now) => arithmetic.Available(Volatile.Read(ref _restored), now);

    public TimeSpan Wait(double now) => arithmetic.Wait(Volatile.Read(ref _restored), now);

    /// <summary>Takes one permit, if one is available.</summary>
    public bool TryTake(double now)
    {
        while (true)
        {
            var before = Volatile.Read(ref _restored);
            if (arithmetic.Available(before, now) < 1) return false;
            if (Swap(before, arithmetic.Take(before, now, 1))) return true;
        }
    }

    /// <summary>Gives one permit back.</summary>
    public void Return(double now)
    {
        double before;
        do before = Volatile.Read(ref _restored);
        while (!Swap(before, arithmetic.Return(before, now, 1)));
    }

    private bool Swap(double before, double after)
    {
        var found = Interlocked.CompareExchange(ref _restored, after, before);
        return BitConverter.DoubleToInt64Bits(found) == BitConverter.DoubleToInt64Bits(before);
    }
}
