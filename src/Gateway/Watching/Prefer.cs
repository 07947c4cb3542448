using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Gateway.Watching;

/// <summary>Reads the <c>Prefer</c> header of a request (RFC 7240).</summary>
internal static class Prefer
{
    public const string Name = "Prefer", Applied = "Preference-Applied";

    /// <summary>
    /// Returns the <c>wait</c> preference (section 4.3). A malformed preference is ignored (section 2). Only the first
    /// of several counts.
    /// </summary>
    /// <returns>Null if there is none; zero or more seconds otherwise.</returns>
    public static TimeSpan? Wait(StringValues header)
    {
        foreach (var value in header)
        {
            // No value of a known preference contains a comma or a semicolon.
            foreach (var range in value.AsSpan().Split(','))
            {
                var preference = value.AsSpan(range);
                var parameters = preference.IndexOf(';');
                if (parameters >= 0) preference = preference[..parameters];
                var equals = preference.IndexOf('=');
                if (equals < 0) continue;
                if (!preference[..equals].Trim(" \t").Equals("wait", StringComparison.OrdinalIgnoreCase)) continue;
                return Seconds(preference[(equals + 1)..].Trim(" \t"));
            }
        }
        return null;
    }

    private static TimeSpan? Seconds(ReadOnlySpan<char> text)
    {
        if (text is ['"', .., '"']) text = text[1..^1];
        if (text.IsEmpty || text.ContainsAnyExceptInRange('0', '9')) return null;
        // A number that is too large means the longest wait.
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) : TimeSpan.FromSeconds(int.MaxValue);
    }
}
