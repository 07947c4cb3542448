using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A clock that a test moves. A timer whose period has passed several times since the last move fires once, as on a
/// machine that was suspended. The base class would fire it once for each period, which takes many seconds if a test
/// moves the clock by days.
/// </summary>
internal sealed class TestClock(DateTimeOffset start) : FakeTimeProvider(start)
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new PeriodicTimer(callback, state);
        timer.Start(base.CreateTimer(_ => timer.Fire(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>A timer that fires once, and then begins again.</summary>
    private sealed class PeriodicTimer(TimerCallback callback, object? state) : ITimer
    {
        private ITimer _next = null!;
        private TimeSpan _period;

        public void Start(ITimer next) => _next = next;

        public void Fire()
        {
            if (_period > TimeSpan.Zero) _next.Change(_period, Timeout.InfiniteTimeSpan);
            callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period;
            return _next.Change(dueTime, Timeout.InfiniteTimeSpan);
        }

        public void Dispose() => _next.Dispose();

        public ValueTask DisposeAsync() => _next.DisposeAsync();
    }
}
