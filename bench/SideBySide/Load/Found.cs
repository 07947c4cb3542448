using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Load;

/// <summary>The results of a load generator.</summary>
/// <param name="Failed">Requests without an answer, or with a status of 400 or above.</param>
/// <param name="P50">The median in milliseconds; <paramref name="P99"/> likewise.</param>
/// <param name="Next">The number of the first job that was not requested, if jobs are counted.</param>
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
