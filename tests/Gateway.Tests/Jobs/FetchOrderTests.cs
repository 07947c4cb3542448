using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Jobs;

public sealed class FetchOrderTests
{
    private const long Second = 1_000_000;

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UnixEpoch.AddSeconds(100));
    private readonly FetchOrder _order;

    public FetchOrderTests() => _order = new FetchOrder(_clock);

    [Fact]
    public void It_goes_by_the_clock_in_microseconds()
    {
        Assert.Equal(100 * Second, _order.Next(0));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(100 * Second + 1000, _order.Next(0));
    }

    [Fact]
    public void It_is_greater_than_before_while_the_clock_stands_still_or_goes_back()
    {
        Assert.Equal(100 * Second, _order.Next(0));
        Assert.Equal(100 * Second + 1, _order.Next(0));
        _clock.AdjustTime(DateTimeOffset.UnixEpoch.AddSeconds(50));
        Assert.Equal(100 * Second + 2, _order.Next(0));
    }

    [Fact]
    public void It_is_greater_than_what_is_known()
    {
        Assert.Equal(500 * Second + 1, _order.Next(500 * Second));
        Assert.Equal(500 * Second + 2, _order.Next(0));
    }

    [Theory]
    [InlineData(160)]
    [InlineData(40)]
    public void It_goes_by_the_clock_of_redis_once_it_has_seen_it(int redis)
    {
        _order.Follow(redis * Second);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((redis + 1) * Second, _order.Next(0));
    }

    [Fact]
    public async Task No_number_is_given_twice()
    {
        var given = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => Enumerable.Range(0, 10_000).Select(_ => _order.Next(0)).ToList(), World.Cancellation)));
        Assert.All(given, some => Assert.Equal(some.Order(), some));
        Assert.Equal(80_000, given.SelectMany(some => some).Distinct().Count());
    }
}
