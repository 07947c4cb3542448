using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
public sealed class MemoryDefaultTests
{
    private const long MiB = 1024 * 1024;

    // Available memory, memory for jobs.
    [Theory]
    [InlineData(96, 16)]
    [InlineData(192, 25)]
    [InlineData(384, 102)]
    [InlineData(768, 256)]
    [InlineData(64 * 1024, 256)]
    public void Jobs_get_a_part_of_the_memory_of_the_process(long available, long jobs) =>
        Assert.Equal(jobs, JobsOptions.MemoryFor(available * MiB) / MiB);

    [Fact]
    public void A_configured_size_replaces_the_default()
    {
        var options = new JobsOptions { MemoryBytes = 5 * MiB, BytesUnderWay = 3 * MiB };
        Assert.Equal((5 * MiB, 3 * MiB), (options.MemoryInForce, options.UnderWayInForce));
        Assert.Equal(2 * new JobsOptions().UnderWayInForce, new JobsOptions().MemoryInForce);
    }
}
