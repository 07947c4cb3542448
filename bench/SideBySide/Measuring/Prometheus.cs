using System.Globalization;

namespace Gateway.SideBySide.Measuring;

/// <summary>What a process says of itself at <c>/metrics</c>.</summary>
internal sealed class Prometheus(Uri metrics) : IDisposable
{
    private readonly HttpClient _client = new();

    /// <param name="name">Of the series, with as much of its labels as tells it from others.</param>
    /// <returns>The sum of all series that begin so.</returns>
    public async Task<double> ReadAsync(string name, string label, CancellationToken stop)
    {
        // It answers with what it last collected, for a third of a second.
        await Task.Delay(TimeSpan.FromMilliseconds(500), stop);
        var lines = (await _client.GetStringAsync(metrics, stop)).Split('\n');
        return lines.Where(line => line.StartsWith(name, StringComparison.Ordinal) && line[name.Length] is ' ' or '{' && line.Contains(label, StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.IndexOf('}') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[line.Contains('}') ? 0 : 1], CultureInfo.InvariantCulture));
    }

    public void Dispose() => _client.Dispose();
}
