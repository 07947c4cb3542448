using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

[Trait("Kind", "Unit")]
public sealed class TallyTests
{
    [Fact]
    public void Concurrent_increments_are_all_counted()
    {
        var tally = new Tally();
        Assert.Equal(0, tally.Count);

        var threads = Enumerable.Range(0, 8).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 100_000; i++) tally.Increment();
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();

        Assert.Equal(800_000, tally.Count);
    }
}
