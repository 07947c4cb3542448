using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Load;

/// <summary>What a generator of load found.</summary>
/// <param name="Failed">Requests without an answer, or with a status of 400 or above.</param>
/// <param name="P50">In milliseconds, as is <paramref name="P99"/>.</param>
/// <param name="Next">Where jobs are counted: the first that was not asked for.</param>
internal sealed record Found(long Requests, TimeSpan Time, long Failed, double P50, double P99, long Next = 0)
{
    public Sample Sample(TimeSpan cpu) => new()
    {
        [Measure.Cpu] = cpu.TotalMicroseconds / Requests,
        [Measure.PerCpuSecond] = Requests / cpu.TotalSeconds,
        [Measure.PerSecond] = Requests / Time.TotalSeconds,
        [Measure.P50] = P50,
        [Measure.P99] = P99,
    };
}
