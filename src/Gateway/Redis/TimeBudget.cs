namespace Gateway.Redis;

/// <summary>
/// How long one request waits for Redis, in all its trips together. It is cut in slices, because time in which this process
/// does not get to run is not Redis's fault: a slice cannot end before replies that are here already were taken note of.
/// </summary>
internal sealed class TimeBudget(TimeSpan total)
{
    private const int Slices = 10;

    // What a connection carries at the least.
    private const double BytesPerSecond = 20e6;

    private int _left = Slices;

    /// <summary>The same for a trip that has so many bytes to carry, which take their time.</summary>
    public TimeBudget For(long bytes)
    {
        Interlocked.Add(ref _left, (int)(TimeSpan.FromSeconds(bytes / BytesPerSecond) / (total / Slices)));
        return this;
    }

    /// <exception cref="TimeoutException">TimeBudget ended first. What was asked may still happen.</exception>
    public async Task<T> WaitAsync<T>(Task<T> reply)
    {
        while (!reply.IsCompleted)
        {
            if (Volatile.Read(ref _left) <= 0) throw new TimeoutException("it does not answer in time");
            await ((Task)reply).WaitAsync(total / Slices).ConfigureAwait(ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.SuppressThrowing);
            if (!reply.IsCompleted) Interlocked.Decrement(ref _left);
        }
        return await reply;
    }
}
