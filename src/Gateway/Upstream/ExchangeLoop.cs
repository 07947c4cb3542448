namespace Gateway.Upstream;

/// <summary>Runs exchanges, one at a time: at once when it is woken, or when the next one is due.</summary>
internal abstract class ExchangeLoop(TimeProvider clock)
{
    // The resolution of timers.
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private bool _isRunning, _isDue;
    private TaskCompletionSource? _wake;

    protected TimeProvider Clock => clock;

    /// <returns>The wait until the next exchange, if there is one; null: it is due at once.</returns>
    protected abstract ValueTask<TimeSpan?> ExchangeAsync();

    /// <param name="wait">The wait that the last exchange returned.</param>
    /// <returns>Null: nothing is left to ask or to report, and the loop ends.</returns>
    protected abstract TimeSpan? PauseBeforeExchange(TimeSpan wait);

    /// <summary>Starts the loop if it does not run.</summary>
    /// <param name="isDue">Whether an exchange is due at once. If not, the loop looks again when it is due.</param>
    protected void Wake(bool isDue = true)
    {
        lock (_lock)
        {
            _isDue |= isDue;
            _wake?.TrySetResult();
            if (_isRunning) return;
            _isRunning = true;
        }
        _ = RunAsync();
    }

    private async Task RunAsync()
    {
        TimeSpan? wait = TimeSpan.Zero;
        for (var isFirst = true; await WaitAsync(wait, isFirst); isFirst = false) wait = await ExchangeAsync();
    }

    private async ValueTask<bool> WaitAsync(TimeSpan? wait, bool isFirst)
    {
        while (true)
        {
            TimeSpan pause;
            Task wake;
            lock (_lock)
            {
                if (_isDue || wait is null) break;
                if (PauseBeforeExchange(wait.Value) is not { } time) return _isRunning = false;
                pause = time > ShortestPause ? time : ShortestPause;
                wake = (_wake = new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
            await wake.WaitAsync(pause, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!wake.IsCompleted) break;
        }
        lock (_lock) _isDue = false;
        // Yield, so that the caller that started the loop can continue.
        if (!isFirst) await Task.Yield();
        return true;
    }
}
