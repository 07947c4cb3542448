using System.Globalization;
using System.Text.RegularExpressions;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Load;

/// <summary>
/// h2load with one thread and HTTP/2 in clear text: each stream sends again as soon as it has its answer.
/// </summary>
internal sealed partial class H2load(Machine machine, string temporary)
{
    public async Task<Found> SameAsync(
        Peer peer, string path, int connections, int streams, int seconds, CancellationToken stop)
    {
        var times = Path.Combine(temporary, "h2load.log");
        File.Delete(times);
        var output = await Child.RunAsync(machine.OtherCores, "h2load",
        [
            "--threads", "1", "--clients", $"{connections}", "--max-concurrent-streams", $"{streams}", "--duration",
            $"{seconds}", "--log-file", times,
            "--header", $"X-Api-Key: {peer.Key}",
            new Uri(peer.Http2Address ?? throw new InvalidOperationException($"{peer.Name} has no HTTP/2."),
                path).ToString(),
        ], stop);
        var (requests, statuses) = (RequestLine().Match(output), StatusLine().Match(output));
        if (!requests.Success || !statuses.Success)
            throw new InvalidOperationException($"The output of h2load cannot be read: {output}");
        var (succeeded, failed) = (
            Number(statuses.Groups["ok"]), Number(requests.Groups["failed"]) + Number(
                requests.Groups["errored"]) + Number(requests.Groups["timeout"]));
        // The columns: start in microseconds, status, and duration in microseconds.
        var sorted = (await File.ReadAllLinesAsync(times, stop))
            .Select(line => double.Parse(line.Split('\t')[2], CultureInfo.InvariantCulture) / 1000).Order().ToArray();
        return new Found(succeeded, TimeSpan.FromSeconds(seconds),
            failed + Number(statuses.Groups["client"]) + Number(statuses.Groups["server"]),
            Statistics.Quantile(sorted, 0.5), Statistics.Quantile(sorted, 0.99));
    }

    private static long Number(Group group) => long.Parse(group.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"requests: .* (?<failed>\d+) failed, (?<errored>\d+) errored, (?<timeout>\d+) timeout")]
    private static partial Regex RequestLine();

    [GeneratedRegex(@"status codes: (?<ok>\d+) 2xx, \d+ 3xx, (?<client>\d+) 4xx, (?<server>\d+) 5xx")]
    private static partial Regex StatusLine();
}
