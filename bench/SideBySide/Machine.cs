using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide;

/// <summary>Assigns cores to the server and the rest, and describes the machine.</summary>
internal sealed partial class Machine
{
    /// <summary>The first core, which only the server uses.</summary>
    public string ServerCore { get; } = "0";

    public string OtherCores { get; } = Cores > 2 ? $"1-{Cores - 1}" : "1";

    public string AllCores { get; } = $"0-{Cores - 1}";

    // This process may already be restricted to some cores, so the system's list is read.
    private static int Cores => Directory.GetDirectories("/sys/devices/system/cpu")
        .Count(name => CoreName().IsMatch(Path.GetFileName(name)));

    /// <summary>The processor, the kernel, and the versions of all programs, one line each.</summary>
    public async Task<IReadOnlyList<(string What, string Which)>> DescribeAsync(CancellationToken stop)
    {
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(
            line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown";
        var memory = File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return
        [
            ("date", DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture)),
            ("processor",
                $"{model}, {Cores} cores; the server has core {ServerCore} for itself, the load, the upstream and "
                + $"Redis have {OtherCores}"),
            ("memory", $"{long.Parse(memory, CultureInfo.InvariantCulture) / 1024 / 1024} GiB"),
            ("load before", $"{File.ReadAllText("/proc/loadavg").Split(' ')[0]}, the average of a minute"),
            ("kernel", File.ReadAllText("/proc/sys/kernel/osrelease").Trim()),
            (".NET", RuntimeInformation.FrameworkDescription),
            ("YARP", typeof(Yarp.ReverseProxy.Forwarder.IHttpForwarder).Assembly.GetName().Version?.ToString(3)
                ?? "unknown"),
            ("nginx", await VersionAsync("nginx", ["-v"], stop)),
            ("varnish", await VersionAsync("varnishd", ["-V"], stop)),
            ("haproxy", await VersionAsync("haproxy", ["-v"], stop)),
            ("redis", await VersionAsync("redis-server", ["--version"], stop)),
            ("wrk", await VersionAsync("sh", ["-c", "wrk -v || true"], stop)),
            ("h2load", await VersionAsync("h2load", ["--version"], stop)),
        ];
    }

    private async Task<string> VersionAsync(string command, string[] arguments, CancellationToken stop)
    {
        try
        {
            return VersionNumber().Match(await Child.RunAsync(OtherCores, command, arguments, stop)).Value;
        }
        catch (InvalidOperationException)
        {
            // Not every scenario needs every program.
            return "not installed";
        }
    }

    [GeneratedRegex(@"\d+\.\d+[\w.-]*")]
    private static partial Regex VersionNumber();

    [GeneratedRegex(@"^cpu\d+$")]
    private static partial Regex CoreName();
}
