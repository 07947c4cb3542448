using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Gateway.Runtime;

/// <summary>The number of files that the process may open, which <c>ulimit -n</c> sets.</summary>
internal static class OpenFiles
{
    /// <summary>
    /// The least number of files that callers' connections may not use. The runtime keeps about 300 assemblies open,
    /// and the process connects to the upstream and to Redis.
    /// </summary>
    public const int Reserved = 400;

    private const int Least = Reserved + 16;

    /// <summary>The limit; null if there is none or it is unknown.</summary>
    public static long? Limit()
    {
        const string Limits = "/proc/self/limits", Name = "Max open files";
        if (!File.Exists(Limits)) return null;
        // The runtime raises the soft limit to the hard one when it starts. No query is used here, because it would
        // load an assembly.
        foreach (var line in File.ReadAllLines(Limits))
        {
            if (!line.StartsWith(Name, StringComparison.Ordinal)) continue;
            var soft = line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
            return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
        }
        return null;
    }

    /// <summary>
    /// Checks the limit before the process loads most of its assemblies, and writes a log line if it is too low. Uses
    /// only the assembly that is loaded first, because files for others, such as the console, may be missing.
    /// </summary>
    public static bool AreEnough()
    {
        if (Limit() is not { } limit || limit >= Least) return true;
        var line = string.Create(CultureInfo.InvariantCulture,
            $$"""
            {"Timestamp":"{{DateTime.UtcNow:yyyy-MM-ddTHH:mm:ss.fffZ}}","EventId":0,"LogLevel":"Critical",
            "Category":"Gateway.Program","Message":"The gateway cannot start: the process may open only {{limit}} files,
             and needs {{Least}}; raise the limit (ulimit -n)"}
            """).Replace("\n", "", StringComparison.Ordinal);
        using var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write);
        output.Write(Encoding.UTF8.GetBytes(line + "\n"));
        return false;
    }
}
