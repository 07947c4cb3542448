using System.Diagnostics;

namespace Gateway.Redis;

// After a pause of this process, such as on a suspended machine, a failed command does not mean that Redis fails.
internal sealed partial class RedisConnection
{
    // The watch looks more often than this, unless the process is paused.
    private static readonly TimeSpan PauseThreshold = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LongestCatchUp = TimeSpan.FromSeconds(2);

    // Until the first look, the process counts as not paused.
    private long _lastLook = long.MaxValue;
    private long _resumedAt;

    /// <summary>
    /// Notes that the watch has looked at Redis. After a pause of this process, a look may fail only because of the
    /// pause, so a failed look does not count until <see cref="LongestCatchUp"/> has passed.
    /// </summary>
    public void NoteLook()
    {
        var now = Environment.TickCount64;
        if (WasPaused() && _resumedAt < _lastLook) _resumedAt = now;
        if (!WasPaused() || _available || now - _resumedAt > LongestCatchUp.TotalMilliseconds)
        {
            Interlocked.Exchange(ref _lastLook, now);
        }
    }

    /// <summary>
    /// After a pause of this process, waits until the watch has found Redis healthy, for at most
    /// <see cref="LongestCatchUp"/>. After a pause, the state of this node is old, and a late reply does not mean that
    /// Redis fails.
    /// </summary>
    public Task WaitAfterPauseAsync() => IsConfigured && WasPaused() ? WaitForLookAsync() : Task.CompletedTask;

    private async Task WaitForLookAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while ((WasPaused() || !_available) && Stopwatch.GetElapsedTime(started) < LongestCatchUp)
        {
            await Task.Delay(20);
        }
    }

    private bool WasPaused() =>
        Environment.TickCount64 - Interlocked.Read(ref _lastLook) > PauseThreshold.TotalMilliseconds;
}
