using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Soak;

/// <summary>The results of a run, part by part.</summary>
internal sealed class Report
{
    private const int Parts = 6;

    // The garbage collector decides when to return memory.
    private const double MostGrowth = 1.10;

    private const long Slack = 8 * 1024 * 1024;

    private readonly List<Part> _parts = [];
    private readonly Tally _tally;

    private Report(Tally tally) => _tally = tally;

    /// <summary>Samples a cluster several times a second during a run.</summary>
    public static async Task<Report> WatchAsync(Cluster cluster, Tally tally, TimeSpan length, CancellationToken stop)
    {
        var report = new Report(tally);
        var run = Stopwatch.StartNew();
        for (var part = 1; part <= Parts; part++)
        {
            var memory = cluster.Nodes.Select(_ => new List<long>()).ToArray();
            do
            {
                await Task.Delay(TimeSpan.FromSeconds(1), stop);
                foreach (var (i, node) in cluster.Nodes.Index())
                {
                    if (node.Process.HasExited)
                    {
                        throw new InvalidOperationException($"Node {node.Number} ended with {node.Process.ExitCode}.");
                    }
                    memory[i].Add(node.ResidentBytes());
                }
            }
            while (run.Elapsed < length * part / Parts);
            report._parts.Add(new Part(run.Elapsed, tally.Take(), [.. memory.Select(Median)],
                cluster.Nodes.Max(node => node.Handles()), cluster.LogLines, await CallsAsync(cluster, stop)));
            await Console.Error.WriteLineAsync($"{run.Elapsed:hh\\:mm\\:ss} of {length:hh\\:mm\\:ss}");
        }
        return report;
    }

    /// <summary>The run as a Markdown table, followed by the answers by kind and the failures.</summary>
    public string Table()
    {
        var text = new StringBuilder();
        text.AppendLine("| until | requests | 5xx | no answer | hit p50 | hit p99 | memory, node 1 | node 2 | handles "
            + "| log lines | upstream calls |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var (until, counted, memory, handles, lines, calls) in _parts)
        {
            string[] cells =
            [
                Text($"{until.TotalMinutes:0.0} min"), Text($"{counted.Requests:N0}"), Text($"{counted.ServerErrors}"),
                Text($"{counted.Unanswered}"), Text($"{counted.Quantile(0.5):0.0} ms"),
                Text($"{counted.Quantile(0.99):0.0} ms"), Mib(memory[0]), Mib(memory[1]), Text($"{handles}"),
                Text($"{lines:N0}"), Text($"{calls:N0}"),
            ];
            text.AppendLine($"| {string.Join(" | ", cells)} |");
        }
        text.AppendLine();
        var answers = _parts.SelectMany(part => part.Counted.Answers).GroupBy(one => one.Key, one => one.Value)
            .OrderBy(group => group.Key.Kind, StringComparer.Ordinal).ThenBy(group => group.Key.Status);
        foreach (var group in answers)
        {
            var (kind, status) = group.Key;
            var what = status == 0 ? "no answer" : status.ToString(CultureInfo.InvariantCulture);
            text.AppendLine(CultureInfo.InvariantCulture, $"- {kind}: {what} × {group.Sum():N0}");
        }
        text.AppendLine(CultureInfo.InvariantCulture,
            $"- jobs that went back: {_tally.WentBack}; ends seen late: {_tally.SeenLate}");
        foreach (var note in Failures().Take(100)) text.AppendLine(CultureInfo.InvariantCulture, $"    {note}");
        return text.ToString();
    }

    /// <summary>The problems that fail a run.</summary>
    public List<string> Problems()
    {
        List<string> problems = [];
        for (var node = 0; node < _parts[0].Memory.Length; node++)
        {
            var middle = _parts[2..4].Max(part => part.Memory[node]);
            var last = _parts[4..].Max(part => part.Memory[node]);
            if (last <= middle * MostGrowth + Slack) continue;
            problems.Add($"memory of node {node + 1} grew from {Mib(middle)} to {Mib(last)} after the first third");
        }
        var errors = _parts.Sum(part => part.Counted.ServerErrors);
        if (errors > 0) problems.Add($"{errors} answers were 5xx");
        var unanswered = _parts.Sum(part => part.Counted.Unanswered);
        if (unanswered > 0) problems.Add($"{unanswered} requests had no answer");
        if (_tally.WentBack > 0) problems.Add($"{_tally.WentBack} times a job went back");
        if (_tally.SeenLate > 0) problems.Add($"{_tally.SeenLate} ends of jobs were seen late");
        return problems;
    }

    // Each failure, with the disturbances before it.
    private IEnumerable<string> Failures()
    {
        var before = "";
        foreach (var note in _tally.Notes)
        {
            if (IsFailure(note))
            {
                if (before.Length > 0) yield return before;
                before = "";
                yield return note;
            }
            else
            {
                before = note;
            }
        }
    }

    private static bool IsFailure(string note) =>
        note.Contains(" got ", StringComparison.Ordinal) || note.EndsWith(" went back", StringComparison.Ordinal)
        || note.EndsWith(" late", StringComparison.Ordinal);

    private static async Task<long> CallsAsync(Cluster cluster, CancellationToken stop)
    {
        using var client = new HttpClient();
        var address = new Uri(cluster.Upstream, "_simulator/calls");
        using var calls = JsonDocument.Parse(await client.GetStringAsync(address, stop));
        return calls.RootElement.GetProperty("total").GetInt64();
    }

    private static long Median(List<long> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    private static string Mib(long bytes) => Text($"{bytes / 1024.0 / 1024:0} MiB");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private sealed record Part(
        TimeSpan Until, Counted Counted, long[] Memory, int Handles, long LogLines, long UpstreamCalls);
}
