using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Redis;

public sealed class FetchOrderTests
{
    private const long Second = 1_000_000;

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UnixEpoch.AddSeconds(100));
    private readonly SteppedClock _wall;
    private readonly FetchOrder _order;

    public FetchOrderTests() => _order = new FetchOrder(new SteadyClock(_wall = new SteppedClock(_clock)));

    [Fact]
    public void An_order_is_the_clock_in_microseconds()
    {
        Assert.Equal(100 * Second, _order.NextFetch(0));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(100 * Second + 1000, _order.NextFetch(0));
    }

    [Fact]
    public void An_order_increases_while_the_clock_stands_still_or_is_set_back()
    {
        Assert.Equal(100 * Second, _order.NextFetch(0));
        Assert.Equal(100 * Second + 1, _order.NextFetch(0));
        _wall.Step(-TimeSpan.FromSeconds(50));
        Assert.Equal(100 * Second + 2, _order.NextFetch(0));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.InRange(_order.NextFetch(0), 101 * Second, 101 * Second + 10);
    }

    [Fact]
    public void An_order_is_greater_than_the_latest_known_one()
    {
        Assert.Equal(500 * Second + 1, _order.NextFetch(500 * Second));
        Assert.Equal(500 * Second + 2, _order.NextFetch(0));
    }

    [Theory]
    [InlineData(160)]
    [InlineData(40)]
    public void An_order_follows_the_clock_of_Redis_once_it_is_known(int redis)
    {
        _order.Follow(redis * Second, _order.Now);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((redis + 1) * Second, _order.NextFetch(0));
    }

    [Fact]
    public void A_purge_is_newer_than_earlier_fetches_when_the_reply_of_Redis_is_slow()
    {
        // Redis read 160 at once, and the reply took 2 seconds: its clock is at 162 now.
        var asked = _order.Now;
        _clock.Advance(TimeSpan.FromSeconds(2));
        _order.Follow(160 * Second, asked);
        Assert.InRange(_order.NextPurge(), 162 * Second, 163 * Second);
    }

    [Fact]
    public void A_fetch_is_older_than_later_ones_when_the_request_to_Redis_is_slow()
    {
        // The request took 2 seconds, and the reply came at once: the clock of Redis is at 160 now.
        var asked = _order.Now;
        _clock.Advance(TimeSpan.FromSeconds(2));
        _order.Follow(160 * Second, asked);
        Assert.InRange(_order.NextFetch(0), 0, 160 * Second);
    }

    [Fact]
    public void Orders_ahead_of_the_clock_of_Redis_are_detected_and_dropped()
    {
        _order.NextFetch(0);
        Assert.True(_order.Follow(40 * Second, _order.Now));
        Assert.InRange(_order.NextFetch(0), 40 * Second, 41 * Second);
        Assert.False(_order.Follow(40 * Second, _order.Now));
    }

    [Fact]
    public void A_purge_is_newer_than_orders_from_before_Redis_set_its_clock_back()
    {
        _order.Follow(160 * Second, _order.Now);
        Assert.Equal(160 * Second, _order.ForPurge(160 * Second));
        _order.Follow(40 * Second, _order.Now);
        Assert.InRange(_order.ForPurge(41 * Second), 161 * Second, 165 * Second);
        Assert.Equal(170 * Second, _order.ForPurge(170 * Second));
    }

    [Fact]
    public void A_fetch_after_a_purge_is_newer_than_the_purge()
    {
        var asked = _order.Now;
        _clock.Advance(TimeSpan.FromSeconds(2));
        _order.Follow(160 * Second, asked);
        var purge = _order.NextPurge();
        Assert.InRange(_order.NextFetch(0), purge + 1, long.MaxValue);
    }

    [Fact]
    public async Task An_order_is_never_issued_twice()
    {
        var given = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => Enumerable.Range(0, 10_000).Select(_ => _order.NextFetch(0)).ToList(), World.Cancellation)));
        Assert.All(given, some => Assert.Equal(some.Order(), some));
        Assert.Equal(80_000, given.SelectMany(some => some).Distinct().Count());
    }
}
