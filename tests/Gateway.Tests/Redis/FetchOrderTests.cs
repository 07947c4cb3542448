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
    public void It_goes_by_the_clock_in_microseconds()
    {
        Assert.Equal(100 * Second, _order.NextFetch(0));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(100 * Second + 1000, _order.NextFetch(0));
    }

    [Fact]
    public void It_is_greater_than_before_while_the_clock_stands_still_or_goes_back()
    {
        Assert.Equal(100 * Second, _order.NextFetch(0));
        Assert.Equal(100 * Second + 1, _order.NextFetch(0));
        _wall.Step(-TimeSpan.FromSeconds(50));
        Assert.Equal(100 * Second + 2, _order.NextFetch(0));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.InRange(_order.NextFetch(0), 101 * Second, 101 * Second + 10);
    }

    [Fact]
    public void It_is_greater_than_what_is_known()
    {
        Assert.Equal(500 * Second + 1, _order.NextFetch(500 * Second));
        Assert.Equal(500 * Second + 2, _order.NextFetch(0));
    }

    [Theory]
    [InlineData(160)]
    [InlineData(40)]
    public void It_goes_by_the_clock_of_redis_once_it_has_seen_it(int redis)
    {
        _order.Follow(redis * Second, _order.Now);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((redis + 1) * Second, _order.NextFetch(0));
    }

    [Fact]
    public void A_purge_is_newer_than_whatever_began_before_it_however_long_redis_took_to_tell_the_time()
    {
        // It was 160 there at once, and the answer took 2 seconds: it is 162 now.
        var asked = _order.Now;
        _clock.Advance(TimeSpan.FromSeconds(2));
        _order.Follow(160 * Second, asked);
        Assert.InRange(_order.NextPurge(), 162 * Second, 163 * Second);
    }

    [Fact]
    public void A_fetch_is_older_than_whatever_begins_after_it_however_long_redis_took_to_hear_the_question()
    {
        // The question took 2 seconds, and the answer came at once: it is 160 now.
        var asked = _order.Now;
        _clock.Advance(TimeSpan.FromSeconds(2));
        _order.Follow(160 * Second, asked);
        Assert.InRange(_order.NextFetch(0), 0, 160 * Second);
    }

    [Fact]
    public void Numbers_that_lie_ahead_of_redis_are_noticed_and_count_no_longer()
    {
        _order.NextFetch(0);
        Assert.True(_order.Follow(40 * Second, _order.Now));
        Assert.InRange(_order.NextFetch(0), 40 * Second, 41 * Second);
        Assert.False(_order.Follow(40 * Second, _order.Now));
    }

    [Fact]
    public void A_purge_is_newer_than_whatever_redis_has_numbered_before_its_clock_was_set_back()
    {
        _order.Follow(160 * Second, _order.Now);
        Assert.Equal(160 * Second, _order.ForPurge(160 * Second));
        _order.Follow(40 * Second, _order.Now);
        Assert.InRange(_order.ForPurge(41 * Second), 161 * Second, 165 * Second);
        Assert.Equal(170 * Second, _order.ForPurge(170 * Second));
    }

    [Fact]
    public void What_is_fetched_after_a_purge_is_newer_than_it()
    {
        var asked = _order.Now;
        _clock.Advance(TimeSpan.FromSeconds(2));
        _order.Follow(160 * Second, asked);
        var purge = _order.NextPurge();
        Assert.InRange(_order.NextFetch(0), purge + 1, long.MaxValue);
    }

    [Fact]
    public async Task No_number_is_given_twice()
    {
        var given = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => Enumerable.Range(0, 10_000).Select(_ => _order.NextFetch(0)).ToList(), World.Cancellation)));
        Assert.All(given, some => Assert.Equal(some.Order(), some));
        Assert.Equal(80_000, given.SelectMany(some => some).Distinct().Count());
    }
}
