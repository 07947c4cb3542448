using System.Globalization;

namespace Gateway.SideBySide.Measuring;

/// <summary>Reads metrics of a process at <c>/metrics</c>.</summary>
internal sealed class Prometheus(Uri metrics) : IDisposable
{
    private readonly HttpClient _client = new();

    /// <param name="name">The name of the series, with enough labels to identify it.</param>
    /// <returns>The sum of all series with this beginning.</returns>
    public async Task<double> ReadAsync(string name, string label, CancellationToken stop)
    {
        // The endpoint caches a collection for a third of a second.
        await Task.Delay(TimeSpan.FromMilliseconds(500), stop);
        var lines = (await _client.GetStringAsync(metrics, stop)).Split('\n');
        return lines.Where(line => line.StartsWith(name, StringComparison.Ordinal) && line[name.Length] is ' ' or '{'
            && line.Contains(label, StringComparison.Ordinal))
            .Sum(
                line =>
                double.Parse(line[(line.IndexOf('}') + 1)..]
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries)[line.Contains('}') ? 0 : 1],
                    CultureInfo.InvariantCulture));
    }

    public void Dispose() => _client.Dispose();
}
