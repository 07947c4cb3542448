using System.Globalization;

namespace Gateway.HitCost;

/// <summary>Maps addresses of a process to libraries and methods.</summary>
internal sealed class Places
{
    public const string Elsewhere = "elsewhere";

    private readonly List<(long Start, long End, string Name)> _ranges = [];

    /// <param name="process">
    /// The process id. Its runtime must write the addresses of methods (<c>DOTNET_PerfMapEnabled</c>).
    /// </param>
    public Places(int process)
    {
        foreach (var line in File.ReadLines($"/proc/{process}/maps"))
        {
            // Memory of compiled methods has a name in the map as well.
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var range, [.., 'x', _], _, _, _,
                var file]) continue;
            if (range.Split('-') is [var start, var end]) _ranges.Add((Hex(start), Hex(end), Path.GetFileName(file)));
        }
        foreach (var line in File.ReadLines(MapOf(process)))
        {
            if (line.Replace("0x", "", StringComparison.Ordinal).Split(' ', 3) is [var start, var size, var name])
                _ranges.Add((Hex(start), Hex(start) + Hex(size), name));
        }
        _ranges.Sort();
    }

    /// <summary>The map file that the runtime writes.</summary>
    public static string MapOf(int process) => Path.Combine(Path.GetTempPath(), $"perf-{process}.map");

    public string NameOf(long address)
    {
        // A failed search returns the complement of the insertion index.
        var at = ~_ranges.BinarySearch((address, long.MaxValue, "")) - 1;
        return at >= 0 && address < _ranges[at].End ? _ranges[at].Name : Elsewhere;
    }

    private static long Hex(string text) => long.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
