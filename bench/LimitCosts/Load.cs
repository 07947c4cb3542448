using System.Diagnostics;
using System.Net;

namespace Gateway.LimitCosts;

/// <summary>The results of a load.</summary>
/// <param name="Times">The time of each answer in milliseconds, sorted.</param>
internal sealed record Found(int Admitted, int Refused, TimeSpan Time, double[] Times)
{
    public int Requests => Admitted + Refused;

    public double PerSecond => Requests / Time.TotalSeconds;

    public double Quantile(double share) => Times[(int)((Times.Length - 1) * share)];
}

internal static class Load
{
    private const int Connections = 16;

    private static readonly HttpClient Client = new(new SocketsHttpHandler { MaxConnectionsPerServer = Connections });

    /// <summary>Sends for a time; each connection sends again as soon as it has its answer.</summary>
    public static Task<Found> AsFastAsPossibleAsync(IReadOnlyList<Uri> nodes, string path, TimeSpan length) =>
        RunAsync(nodes, path, length, perSecond: null);

    /// <summary>Sends at a fixed rate, far below the capacity, so that requests do not wait for each other.</summary>
    public static Task<Found> PacedAsync(IReadOnlyList<Uri> nodes, string path, TimeSpan length, double perSecond) =>
        RunAsync(nodes, path, length, perSecond);

    private static async Task<Found> RunAsync(IReadOnlyList<Uri> nodes, string path, TimeSpan length, double? perSecond)
    {
        var watch = Stopwatch.StartNew();
        var results = await Task.WhenAll(Enumerable.Range(0, Connections).Select(worker => Task.Run(async () =>
        {
            var (admitted, refused, times) = (0, 0, new List<double>());
            var address = new Uri(nodes[worker % nodes.Count], path);
            for (var i = 0; watch.Elapsed < length; i++)
            {
                if (perSecond is { } rate && TimeSpan.FromSeconds(
                    (i * Connections + worker) / rate) - watch.Elapsed is { Ticks: > 0 } early) await Task.Delay(early);
                var sent = Stopwatch.GetTimestamp();
                using var answer = await Client.GetAsync(address);
                times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                if (answer.StatusCode == HttpStatusCode.OK) admitted++;
                else refused++;
            }
            return (admitted, refused, times);
        })));
        return new Found(results.Sum(one => one.admitted), results.Sum(one => one.refused), watch.Elapsed,
            [.. results.SelectMany(one => one.times).Order()]);
    }
}
