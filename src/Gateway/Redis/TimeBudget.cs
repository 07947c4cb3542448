namespace Gateway.Redis;

/// <summary>
/// The time that one request waits for Redis, over all its trips. It is divided into slices: after a pause of this
/// process, one slice ends, but replies that have arrived are processed before the next. Such a pause therefore does
/// not count as a failure of Redis.
/// </summary>
internal sealed class TimeBudget(TimeSpan total)
{
    private const int Slices = 10;

    // The slowest connection that can transfer a large value in time.
    private const double BytesPerSecond = 20e6;

    private int _left = Slices;

    /// <summary>Extends the budget by the time that this many bytes take.</summary>
    public TimeBudget For(long bytes)
    {
        Interlocked.Add(ref _left, (int)(TimeSpan.FromSeconds(bytes / BytesPerSecond) / (total / Slices)));
        return this;
    }

    /// <exception cref="TimeoutException">The budget is used up. Redis may still execute the command.</exception>
    public async Task<T> WaitAsync<T>(Task<T> reply)
    {
        while (!reply.IsCompleted)
        {
            if (Volatile.Read(ref _left) <= 0) throw new TimeoutException("Redis did not answer in time");
            await ((Task)reply).WaitAsync(total / Slices).ConfigureAwait(
                ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.SuppressThrowing);
            if (!reply.IsCompleted) Interlocked.Decrement(ref _left);
        }
        return await reply;
    }
}
