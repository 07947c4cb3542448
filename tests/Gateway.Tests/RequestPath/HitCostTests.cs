using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.RequestPath;

[Collection(nameof(Alone))]
public sealed class HitCostTests
{
    private const int AsRecorded = 0, NotHere = 2;

    /// <summary>Counted are instructions and bytes, not time, so a busy machine makes no difference; but to count them takes a while.</summary>
    [Fact]
    public async Task A_hit_costs_as_many_instructions_and_bytes_as_are_recorded_and_a_twentieth_more_would_be_seen()
    {
        var program = Path.Combine(Repository.Root, "bench", "HitCost", "bin", "Release", "net10.0", "HitCost.dll");
        var (exit, output) = await ChildProcess.RunAsync("dotnet", [program]);
        Assert.SkipWhen(exit == NotHere, output);
        Assert.True(exit == AsRecorded, output);
    }
}
