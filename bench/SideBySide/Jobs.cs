using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Gateway.SideBySide;

/// <summary>The names and paths of the jobs.</summary>
internal static class Jobs
{
    public const string Workflow = "survey", RunningWorkflow = "running", LargeWorkflow = "large";

    /// <summary>The number of bytes by which its jobs are longer than others.</summary>
    public const int LargeBytes = 2 * 1024 * 1024;

    /// <summary>The job that is requested when all requests are for one job.</summary>
    public const long Hit = 1;

    private const string Before = "/v0/workflows/", Between = "/jobs/";

    /// <summary>The path of a workflow's jobs up to the number, which has twelve digits.</summary>
    public static string PrefixOf(string workflow) => $"{Before}{workflow}{Between}{JobDocument.Prefix}";

    public static string PathOf(string workflow, long number) =>
        $"{Before}{workflow}{Between}{JobDocument.IdOf(number)}";

    public static bool TryParse(string path, [NotNullWhen(true)] out string? workflow, out long number)
    {
        (workflow, number) = (null, 0);
        if (!path.StartsWith(Before, StringComparison.Ordinal)) return false;
        var end = path.IndexOf('/', Before.Length);
        if (end < 0 || !path.AsSpan(end).StartsWith($"{Between}{JobDocument.Prefix}", StringComparison.Ordinal))
            return false;
        if (!long.TryParse(path.AsSpan(end + Between.Length + JobDocument.Prefix.Length), NumberStyles.None,
            CultureInfo.InvariantCulture, out number)) return false;
        workflow = path[Before.Length..end];
        return true;
    }

    /// <summary>The progress of running jobs, which changes every tenth of a second.</summary>
    public static int ProgressNow() => 10 + (int)(Environment.TickCount64 / 100 % 90);
}
