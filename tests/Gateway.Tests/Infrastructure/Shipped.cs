using System.Globalization;
using System.Text.RegularExpressions;

namespace Gateway.Tests.Infrastructure;

/// <summary>Log levels and metrics for tests of gateway processes.</summary>
internal static partial class Shipped
{
    /// <summary>The levels of appsettings.json.</summary>
    public static readonly (string Key, string? Value)[] Levels =
    [
        ("Logging:LogLevel:Default", "Information"), ("Logging:LogLevel:Gateway", "Information"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), ("Logging:LogLevel:Polly", "Error"),
        ("Logging:LogLevel:Yarp", "Warning"),
    ];

    /// <summary>The sum of a metric over all its tags, or over the lines that contain a text.</summary>
    public static async Task<long> MetricAsync(int managementPort, string name, string tags = "")
    {
        using var client = new HttpClient();
        var page = await client.GetStringAsync(
            new Uri($"http://127.0.0.1:{managementPort}/metrics"), World.Cancellation);
        return Sample().Matches(page)
            .Where(sample => sample.Groups["name"].Value == name
                && sample.Value.Contains(tags, StringComparison.Ordinal))
            .Sum(sample => (long)double.Parse(sample.Groups["value"].Value, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"^(?<name>[a-z_]+)(\{.*\})? (?<value>[0-9.eE+]+)( [0-9]+)?\r?$", RegexOptions.Multiline)]
    private static partial Regex Sample();
}
