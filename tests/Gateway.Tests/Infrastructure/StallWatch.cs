using System.Diagnostics;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Measures how long the thread pool of this process did not run anything. On a busy machine a test may stall for
/// seconds, and a node in this process then looks dead to the others.
/// </summary>
internal sealed class StallWatch : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _stop = new();
    private long _longest;

    public StallWatch() => _ = WatchAsync();

    public TimeSpan Longest => new(Interlocked.Read(ref _longest));

    public void Dispose() => _stop.Cancel();

    private async Task WatchAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var started = Stopwatch.GetTimestamp();
            await Task.Delay(Interval);
            var stall = Stopwatch.GetElapsedTime(started) - Interval;
            if (stall > Longest) Interlocked.Exchange(ref _longest, stall.Ticks);
        }
    }
}
