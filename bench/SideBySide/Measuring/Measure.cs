namespace Gateway.SideBySide.Measuring;

/// <summary>A figure that a run yields.</summary>
/// <param name="Name">The name in tables, with the unit.</param>
/// <param name="Format">A .NET number format.</param>
internal sealed record Measure(string Name, string Format = "#,0")
{
    public static readonly Measure Cpu = new("CPU, µs a request", "0.0");
    public static readonly Measure RedisCpu = new("CPU of Redis, µs a request", "0.0");
    public static readonly Measure PerSecond = new("requests/s");
    public static readonly Measure PerCpuSecond = new("requests a CPU second");
    public static readonly Measure P50 = new("p50, ms", "0.00");
    public static readonly Measure P99 = new("p99, ms", "0.00");
    public static readonly Measure UpstreamCalls = new("upstream calls");
    public static readonly Measure HitRate = new("hit rate", "0.0 %");
}

/// <summary>The figures of one run of one contestant.</summary>
internal sealed class Sample : Dictionary<Measure, double>;
