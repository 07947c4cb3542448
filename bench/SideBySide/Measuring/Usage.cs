using System.Globalization;

namespace Gateway.SideBySide.Measuring;

/// <summary>What a process and all that it started have used, as the kernel counts it.</summary>
internal static class Usage
{
    public static TimeSpan CpuOf(Child process) =>
        process.Tree().Aggregate(TimeSpan.Zero, (sum, id) => sum + (Native.CpuTimeOf(id) ?? TimeSpan.Zero));

    /// <summary>Bytes in memory, those shared with others divided among them (PSS).</summary>
    public static long MemoryOf(Child process) => process.Tree().Sum(id => KilobytesOf($"/proc/{id}/smaps_rollup", "Pss:") * 1024);

    private static long KilobytesOf(string file, string field)
    {
        try
        {
            var line = File.ReadLines(file).First(line => line.StartsWith(field, StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It has just ended.
            return 0;
        }
    }
}
