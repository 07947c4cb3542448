using System.Collections.Concurrent;

namespace Gateway.Caching;

/// <summary>
/// At most one flight for each key at a time in this process. A flight belongs to none of those who wait for it: it
/// starts free of the first one's request, and goes on when that one leaves.
/// </summary>
internal sealed class SingleFlight<TKey, TResult> where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Task<TResult>> _flights = new();

    /// <summary>Joins the flight for a key, or starts it.</summary>
    /// <param name="collapsed">Whether it was under way already.</param>
    public Task<TResult> Join(TKey key, Func<TKey, Task<TResult>> fly, out bool collapsed)
    {
        var mine = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var flight = _flights.GetOrAdd(key, mine.Task);
        collapsed = flight != mine.Task;
        if (collapsed) return flight;
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(() => FlyAsync(key, fly, mine));
        }
        return flight;
    }

    private async Task FlyAsync(TKey key, Func<TKey, Task<TResult>> fly, TaskCompletionSource<TResult> landing)
    {
        try
        {
            var result = await fly(key);
            // Who comes from now on needs a newer answer than this one, or finds it in the cache.
            _flights.TryRemove(key, out _);
            landing.SetResult(result);
        }
        catch (Exception e)
        {
            _flights.TryRemove(key, out _);
            landing.SetException(e);
            // Observed, also where everybody has left.
            _ = landing.Task.Exception;
        }
    }
}
