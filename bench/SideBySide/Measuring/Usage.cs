using System.Globalization;

namespace Gateway.SideBySide.Measuring;

/// <summary>The resources that a process and its descendants have used, as the kernel counts them.</summary>
internal static class Usage
{
    public static TimeSpan CpuOf(Child process) =>
        process.Tree().Aggregate(TimeSpan.Zero, (sum, id) => sum + (Native.CpuTimeOf(id) ?? TimeSpan.Zero));

    /// <summary>The memory in bytes, with shared memory divided among its users (PSS).</summary>
    public static long MemoryOf(Child process) => process.Tree()
        .Sum(id => KilobytesOf($"/proc/{id}/smaps_rollup", "Pss:") * 1024);

    private static long KilobytesOf(string file, string field)
    {
        try
        {
            var line = File.ReadLines(file).First(line => line.StartsWith(field, StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // The process has just ended.
            return 0;
        }
    }
}
