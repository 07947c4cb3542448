using CsCheck;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Runtime;

public sealed class SteadyClockTests
{
    private static readonly DateTimeOffset Start = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1), Hour = TimeSpan.FromHours(1),
        Exact = TimeSpan.FromMicroseconds(10);

    private readonly FakeTimeProvider _monotonic = new(Start);
    private readonly SteppedClock _wall;
    private readonly SteadyClock _clock;

    public SteadyClockTests() => _clock = new SteadyClock(_wall = new SteppedClock(_monotonic));

    [Fact]
    public void The_steady_clock_equals_the_wall_clock_until_that_is_set()
    {
        Assert.Equal(Start, _clock.Now);
        for (var i = 0; i < 100; i++)
        {
            _monotonic.Advance(TimeSpan.FromHours(7));
            Assert.Equal(_wall.GetUtcNow(), _clock.Now);
        }
        Assert.Equal(TimeSpan.Zero, _clock.Lead);
        Assert.Equal((_clock.Now - DateTimeOffset.UnixEpoch).TotalMicroseconds, _clock.Microseconds);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(3600)]
    public void The_steady_clock_advances_evenly_when_the_wall_clock_is_set_back(int seconds)
    {
        _wall.Step(-TimeSpan.FromSeconds(seconds));
        Assert.Equal(Start, _clock.Now);
        for (var i = 1; i <= 5; i++)
        {
            _monotonic.Advance(Second);
            AssertNear(Start + i * Second);
        }
        AssertLead(TimeSpan.FromSeconds(seconds), Exact);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(3600)]
    public void The_steady_clock_follows_a_wall_clock_that_is_set_forwards(int seconds)
    {
        _wall.Step(TimeSpan.FromSeconds(seconds));
        _monotonic.Advance(Second);
        AssertNear(Start + TimeSpan.FromSeconds(seconds + 1));
        AssertLead(TimeSpan.Zero, Exact);
    }

    [Fact]
    public void A_step_forwards_is_followed_after_a_step_back()
    {
        for (var i = 0; i < 5; i++)
        {
            _wall.Step(-Hour);
            _monotonic.Advance(Second);
            AssertNear(Start + i * Hour + (2 * i + 1) * Second);
            _wall.Step(Hour);
            _monotonic.Advance(Second);
            AssertNear(Start + (i + 1) * Hour + (2 * i + 2) * Second);
        }
    }

    [Fact]
    public void Small_steps_forwards_add_up()
    {
        for (var i = 0; i < 100; i++)
        {
            _wall.Step(TimeSpan.FromMilliseconds(100));
            _monotonic.Advance(Second);
        }
        Assert.InRange(_clock.Now, _wall.GetUtcNow() - SteadyClock.Tolerance, _wall.GetUtcNow());
    }

    [Fact]
    public void The_steady_clock_follows_a_fast_wall_clock_and_not_a_slow_one()
    {
        for (var i = 0; i < 10_000; i++)
        {
            _wall.Step(TimeSpan.FromMilliseconds(1));
            _monotonic.Advance(Second);
            Assert.InRange(_clock.Now, _wall.GetUtcNow() - SteadyClock.Tolerance - Exact, _wall.GetUtcNow() + Exact);
        }
        var now = _clock.Now;
        for (var i = 0; i < 10_000; i++)
        {
            _wall.Step(TimeSpan.FromMilliseconds(-1));
            _monotonic.Advance(Second);
            _ = _clock.Now;
        }
        AssertNear(now + 10_000 * Second, TimeSpan.FromMilliseconds(1));
        AssertLead(_clock.Now - _wall.GetUtcNow(), SteadyClock.Tolerance);
    }

    [Fact]
    public void The_steady_clock_is_never_behind_the_elapsed_time_plus_all_steps_forwards() =>
        Gen.Select(Gen.Int[-7200, 7200], Gen.Int[1, 100_000]).Array[1, 50].Sample(events =>
        {
            var monotonic = new FakeTimeProvider(Start);
            var wall = new SteppedClock(monotonic);
            var clock = new SteadyClock(wall);
            var expected = Start;
            foreach (var (step, milliseconds) in events)
            {
                var before = clock.Now;
                wall.Step(TimeSpan.FromSeconds(step));
                monotonic.Advance(TimeSpan.FromMilliseconds(milliseconds + 10));
                expected += TimeSpan.FromMilliseconds(milliseconds + 10) + TimeSpan.FromSeconds(Math.Max(0, step));
                Assert.True(clock.Now > before);
                Assert.InRange(clock.Now, expected, expected + TimeSpan.FromMilliseconds(1));
                Assert.Equal(clock.Now, wall.GetUtcNow() + clock.Lead, Exact);
            }
        });

    [Fact]
    public void A_time_round_trips_through_the_wall_clock()
    {
        Assert.Equal(Start, _clock.ToWall(Start));
        _wall.Step(-Hour);
        _monotonic.Advance(Second);
        Assert.Equal(Start - Hour, _clock.ToWall(Start), Exact);
        Assert.Equal(Start, _clock.FromWall(_clock.ToWall(Start)));
        Assert.Equal(DateTimeOffset.MaxValue, _clock.FromWall(DateTimeOffset.MaxValue));
        Assert.Equal(DateTimeOffset.MinValue, _clock.ToWall(DateTimeOffset.MinValue));
    }

    [Fact]
    public async Task No_reader_sees_the_steady_clock_go_back()
    {
        var wall = new SteppedClock(TimeProvider.System);
        var clock = new SteadyClock(wall);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        var latest = 0L;
        var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                // A time that any reader has seen is never ahead of a later reading.
                var seen = Interlocked.Read(ref latest);
                var now = clock.Now.UtcTicks;
                Assert.True(now >= seen, $"{seen - now} ticks back");
                while (now > seen && Interlocked.CompareExchange(ref latest, now, seen) is var other && other != seen)
                    seen = other;
            }
        }, World.Cancellation)).ToArray();
        var started = clock.Now;
        for (var i = 0; i < 40; i++)
        {
            wall.Step(i % 2 == 0 ? -Hour : Hour);
            // Longer than the interval between two looks at the wall clock.
            await Task.Delay(25, World.Cancellation);
        }
        await done.CancelAsync();
        await Task.WhenAll(readers);
        Assert.True(clock.Now - started > 15 * Hour);
    }

    [Fact]
    public void Reading_the_steady_clock_allocates_nothing()
    {
        var clock = new SteadyClock(TimeProvider.System);
        _ = clock.Now + clock.Lead;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100_000; i++) _ = clock.Now;
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private void AssertLead(TimeSpan expected, TimeSpan precision) =>
        Assert.InRange(_clock.Lead, expected - precision, expected + precision);

    private void AssertNear(DateTimeOffset expected, TimeSpan? precision = null) =>
        Assert.Equal(expected, _clock.Now, precision ?? Exact);
}
