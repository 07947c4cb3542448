namespace Gateway.Redis;

/// <summary>
/// The time that one request waits for Redis, over all its trips. It is divided into slices, because Redis must not be
/// blamed for time in which this process did not run: a slice cannot end before replies that have arrived are
/// processed.
/// </summary>
internal sealed class TimeBudget(TimeSpan total)
{
    private const int Slices = 10;

    // The slowest connection that a large value must get through.
    private const double BytesPerSecond = 20e6;

    private int _left = Slices;

    /// <summary>Extends the budget by the time that this many bytes take.</summary>
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
