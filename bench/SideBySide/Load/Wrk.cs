using System.Globalization;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Load;

/// <summary>wrk with one thread: each connection sends again as soon as it has its answer.</summary>
internal sealed class Wrk(Machine machine, string temporary)
{
    /// <summary>Sends all requests for the same path.</summary>
    public Task<Found> SameAsync(Peer peer, string path, int connections, int seconds,
        Dictionary<string, string> headers, CancellationToken stop) =>
        RunAsync(peer, path, connections, seconds, headers, null, [], stop);

    /// <summary>Requests a new job each time, or each job several times with a thousand others in between.</summary>
    public Task<Found> CountingAsync(
        Peer peer, string workflow, long first, int connections, int seconds, CancellationToken stop, int times = 1) =>
        RunAsync(peer, "/", connections, seconds, [], "count.lua",
            [Jobs.PrefixOf(workflow), Text(first), Text(times)], stop);

    /// <summary>Requests the n-th job an n-th as often as the first.</summary>
    public Task<Found> ZipfAsync(
        Peer peer, string workflow, int jobs, int seed, int connections, int seconds, CancellationToken stop) =>
        RunAsync(peer, "/", connections, seconds, [], "zipf.lua",
            [Jobs.PrefixOf(workflow), Text(jobs), Text(seed)], stop);

    private async Task<Found> RunAsync(
        Peer peer, string path, int connections, int seconds, Dictionary<string, string> headers,
        string? way, string[] arguments, CancellationToken stop)
    {
        var script = Path.Combine(temporary, way ?? "done.lua");
        if (!File.Exists(script))
            await File.WriteAllTextAsync(script, Resource("done.lua") + (way is null ? "" : Resource(way)), stop);
        string[] all =
        [
            "--threads", "1", "--connections", Text(connections), "--duration", $"{seconds}s", "--timeout", "10s",
            "--script", script,
            "--header", $"X-Api-Key: {peer.Key}",
            .. headers.SelectMany(header => new[] { "--header", $"{header.Key}: {header.Value}" }),
            new Uri(peer.Address, path).ToString(), "--", .. arguments,
        ];
        var output = await Child.RunAsync(machine.OtherCores, "wrk", all, stop);
        var line = output.Split('\n').FirstOrDefault(line => line.StartsWith("DONE ", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"The output of wrk cannot be read: {output}");
        var values = line.Split(' ')[1..].Select(value => long.Parse(value, CultureInfo.InvariantCulture)).ToArray();
        return new Found(values[0], TimeSpan.FromMicroseconds(values[1]), values[2], values[3] / 1000.0,
            values[4] / 1000.0, values[5]);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(Wrk).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
