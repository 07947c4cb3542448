using System.Collections.Concurrent;

namespace Gateway.Caching;

/// <summary>
/// Runs at most one operation for each key at a time in this process; all callers share its result. The operation does
/// not inherit the execution context of its first caller, and goes on when that caller leaves.
/// </summary>
internal sealed class SingleFlight<TKey, TResult> where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Task<TResult>> _flights = new();

    /// <summary>Joins the operation for a key, or starts it.</summary>
    /// <param name="collapsed">Whether the operation was already running.</param>
    /// <param name="state">The <see cref="Task.AsyncState"/> of the result, if this starts the operation.</param>
    public Task<TResult> Join(TKey key, Func<TKey, Task<TResult>> run, out bool collapsed, object? state = null)
    {
        var mine = new TaskCompletionSource<TResult>(state, TaskCreationOptions.RunContinuationsAsynchronously);
        var flight = _flights.GetOrAdd(key, mine.Task);
        collapsed = flight != mine.Task;
        if (collapsed) return flight;
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(() => RunAsync(key, run, mine));
        }
        return flight;
    }

    /// <summary>Whether the operation for a key is running.</summary>
    public bool IsRunning(TKey key) => _flights.ContainsKey(key);

    private async Task RunAsync(TKey key, Func<TKey, Task<TResult>> run, TaskCompletionSource<TResult> completion)
    {
        try
        {
            var result = await run(key);
            // Remove the operation before callers continue: a later caller finds the result in the cache, or needs a
            // newer one.
            _flights.TryRemove(key, out _);
            completion.SetResult(result);
        }
        catch (Exception e)
        {
            _flights.TryRemove(key, out _);
            completion.SetException(e);
            // Observe the exception even if all callers have left.
            _ = completion.Task.Exception;
        }
    }
}
