using System.Diagnostics;

namespace Gateway.Tests.Infrastructure;

/// <summary>Prometheus's own tool, if it is installed. A test that needs it is skipped without it.</summary>
internal static class Promtool
{
    /// <summary>Checks a page of metrics.</summary>
    /// <returns>A line for each complaint.</returns>
    public static async Task<string[]> CheckMetricsAsync(string page)
    {
        SkipIfAbsent();
        using var process = Process.Start(new ProcessStartInfo("promtool", ["check", "metrics"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        // The tool writes its complaints when it has read the whole page.
        await process.StandardInput.WriteAsync(page);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(World.Cancellation);
        var errors = await process.StandardError.ReadToEndAsync(World.Cancellation);
        await process.WaitForExitAsync(World.Cancellation);
        // 3: there are complaints.
        Assert.True(process.ExitCode is 0 or 3, errors);
        return $"{await output}{errors}".Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Runs a command of the tool.</summary>
    public static async Task<(int Exit, string Output)> RunAsync(params string[] arguments)
    {
        SkipIfAbsent();
        return await ChildProcess.RunAsync("promtool", arguments);
    }

    private static void SkipIfAbsent() => Assert.SkipUnless(RedisServer.IsOnPath("promtool"),
        "This test needs promtool of the package prometheus, which is not on the PATH.");
}
