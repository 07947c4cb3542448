using System.Threading.Tasks.Sources;

namespace Gateway.Watching;

/// <summary>
/// Wakes one waiter, on the thread pool. A signal that nobody waits for is kept, and several of them count as one.
/// Waiting needs no memory and no timer, so thousands of streams can wait.
/// </summary>
internal sealed class Signal : IValueTaskSource
{
    private const int Idle = 0, IsSet = 1, IsAwaited = 2;

    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private int _state;

    /// <summary>Wakes the waiter, or the next one.</summary>
    public void Set()
    {
        while (true)
        {
            var before = Volatile.Read(ref _state);
            if (before == IsSet) return;
            var after = before == IsAwaited ? Idle : IsSet;
            if (Interlocked.CompareExchange(ref _state, after, before) != before) continue;
            if (before == IsAwaited) _source.SetResult(true);
            return;
        }
    }

    /// <summary>Waits for a signal. Only one caller may wait at a time.</summary>
    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Idle, IsSet) == IsSet) return default;
        _source.Reset();
        var version = _source.Version;
        if (Interlocked.CompareExchange(ref _state, IsAwaited, Idle) == Idle) return new ValueTask(this, version);
        // It was set meanwhile.
        Volatile.Write(ref _state, Idle);
        return default;
    }

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
