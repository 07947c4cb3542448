using System.Globalization;

namespace Gateway.HitCost;

/// <summary>Where in a process addresses are: in which library, or in which method.</summary>
internal sealed class Places
{
    public const string Elsewhere = "elsewhere";

    private readonly List<(long Start, long End, string Name)> _ranges = [];

    /// <param name="process">Its id.</param>
    /// <param name="methods">Whether the runtime was told to write where its methods are (<c>DOTNET_PerfMapEnabled</c>).</param>
    public Places(int process, bool methods)
    {
        foreach (var line in File.ReadLines($"/proc/{process}/maps"))
        {
            // What is compiled as it runs is in memory that has a name as well.
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var range, [.., 'x', _], _, _, _, var file]) continue;
            if (range.Split('-') is [var start, var end]) _ranges.Add((Hex(start), Hex(end), Path.GetFileName(file)));
        }
        if (methods)
        {
            foreach (var line in File.ReadLines(Path.Combine(Path.GetTempPath(), $"perf-{process}.map")))
            {
                if (line.Replace("0x", "", StringComparison.Ordinal).Split(' ', 3) is [var start, var size, var name]) _ranges.Add((Hex(start), Hex(start) + Hex(size), name));
            }
        }
        _ranges.Sort();
    }

    public string NameOf(long address)
    {
        // The search tells where it would be.
        var at = ~_ranges.BinarySearch((address, long.MaxValue, "")) - 1;
        return at >= 0 && address < _ranges[at].End ? _ranges[at].Name : Elsewhere;
    }

    private static long Hex(string text) => long.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
