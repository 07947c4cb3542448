using Microsoft.Extensions.Primitives;

namespace Gateway.Callers;

/// <summary>Reads one cookie without a dictionary of all cookies (RFC 6265, section 5.4).</summary>
internal static class Cookies
{
    /// <param name="value">The value of the last cookie of this name.</param>
    /// <returns>The number of cookies of this name.</returns>
    public static int Find(StringValues fields, string name, out ReadOnlySpan<char> value)
    {
        value = default;
        var count = 0;
        foreach (var field in fields)
        {
            foreach (var range in field.AsSpan().Split(';'))
            {
                var pair = field.AsSpan()[range].Trim();
                var equals = pair.IndexOf('=');
                if (equals < 0 || !pair[..equals].SequenceEqual(name)) continue;
                value = pair[(equals + 1)..];
                count++;
            }
        }
        return count;
    }
}
