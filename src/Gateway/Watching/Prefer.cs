using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Gateway.Watching;

/// <summary>Reads the <c>Prefer</c> header of a request (RFC 7240).</summary>
internal static class Prefer
{
    public const string Name = "Prefer", Applied = "Preference-Applied";

    /// <summary>
    /// Returns the <c>wait</c> preference (section 4.3). A malformed preference is ignored (section 2).
    /// </summary>
    /// <returns>Null if there is none; zero or more seconds otherwise.</returns>
    public static TimeSpan? Wait(StringValues header) => Find(header, "wait", out var value) ? Seconds(value) : null;

    /// <summary>Whether there is the preference <c>return=minimal</c> (section 4.2).</summary>
    public static bool IsMinimal(StringValues header) =>
        Find(header, "return", out var value) && value.Equals("minimal", StringComparison.OrdinalIgnoreCase);

    // Only the first of several preferences with the same name counts.
    private static bool Find(StringValues header, string name, out ReadOnlySpan<char> value)
    {
        foreach (var field in header)
        {
            // No value of a known preference contains a comma or a semicolon.
            foreach (var range in field.AsSpan().Split(','))
            {
                var preference = field.AsSpan(range);
                var parameters = preference.IndexOf(';');
                if (parameters >= 0) preference = preference[..parameters];
                var equals = preference.IndexOf('=');
                if (equals < 0) continue;
                if (!preference[..equals].Trim(" \t").Equals(name, StringComparison.OrdinalIgnoreCase)) continue;
                value = preference[(equals + 1)..].Trim(" \t");
                if (value is ['"', .., '"']) value = value[1..^1];
                return true;
            }
        }
        value = default;
        return false;
    }

    private static TimeSpan? Seconds(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.ContainsAnyExceptInRange('0', '9')) return null;
        // A number that is too large means the longest wait.
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) : TimeSpan.FromSeconds(int.MaxValue);
    }
}
