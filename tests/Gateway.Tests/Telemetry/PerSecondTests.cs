using Gateway.Telemetry;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Telemetry;

[Trait("Kind", "Unit")]
public sealed class PerSecondTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly List<(string Key, int Count)> _summed = [];

    [Fact]
    public void The_first_events_of_a_second_are_logged_and_the_others_summed_up_after_it()
    {
        using var perSecond = New(whole: 2, most: 10);
        Assert.Equal([true, true, false, false, false], Take(perSecond, "a", 5));
        Assert.Equal([true], Take(perSecond, "b", 1));
        Assert.Empty(_summed);

        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal([("a", 3)], _summed);
        Assert.Equal([true, true, false], Take(perSecond, "a", 3));
    }

    [Fact]
    public void Keys_beyond_the_limit_are_summed_up_together()
    {
        using var perSecond = New(whole: 1, most: 3);
        var whole = Enumerable.Range(0, 1000).Count(key => perSecond.Take($"{key}"));
        Assert.Equal(3, whole);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([("rest", 997)], _summed);
    }

    [Fact]
    public void Dispose_reports_the_remaining_counts()
    {
        var perSecond = New(whole: 1, most: 3);
        Take(perSecond, "a", 4);
        perSecond.Dispose();
        Assert.Equal([("a", 3)], _summed);
    }

    private PerSecond<string> New(int whole, int most) =>
        new(whole, most, "rest", _clock, (key, count) => _summed.Add((key, count)));

    private static bool[] Take(PerSecond<string> perSecond, string key, int times) =>
        [.. Enumerable.Range(0, times).Select(_ => perSecond.Take(key))];
}
