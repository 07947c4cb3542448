namespace Gateway.Limits;

/// <summary>A quota in this process alone, without a lock.</summary>
internal sealed class LocalQuota(Gcra arithmetic, double restored)
{
    private double _restored = restored;

    public Gcra Arithmetic => arithmetic;

    public long Available(double now) => arithmetic.Available(Volatile.Read(ref _restored), now);

    public TimeSpan Wait(double now) => arithmetic.Wait(Volatile.Read(ref _restored), now);

    /// <summary>Takes one permit, if there is one.</summary>
    public bool TryTake(double now)
    {
        while (true)
        {
            var before = Volatile.Read(ref _restored);
            if (arithmetic.Available(before, now) < 1) return false;
            if (Swap(before, arithmetic.Take(before, now, 1))) return true;
        }
    }

    /// <summary>Gives one back.</summary>
    public void Return(double now)
    {
        double before;
        do before = Volatile.Read(ref _restored);
        while (!Swap(before, arithmetic.Return(before, now, 1)));
    }

    private bool Swap(double before, double after) =>
        BitConverter.DoubleToInt64Bits(Interlocked.CompareExchange(ref _restored, after, before)) == BitConverter.DoubleToInt64Bits(before);
}
