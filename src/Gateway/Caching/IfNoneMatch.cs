using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>
/// Evaluates <c>If-None-Match</c> (RFC 9110, section 13.1.2): <c>*</c>, or a list of entity tags, compared weakly.
/// A proxy that compresses a response may change its entity tag to <c>W/"x"</c> or add the name of the content coding,
/// and may send the changed tag to the gateway: Apache sends <c>"x-gzip"</c>, Jetty <c>"x--gzip"</c>, and LiteSpeed
/// <c>"x;gz"</c>.
/// </summary>
internal static class IfNoneMatch
{
    private const char Quote = '"';

    // RFC 9110, section 8.4.1, RFC 7932 and RFC 8878. LiteSpeed writes "gz".
    private static readonly string[] Codings = ["gzip", "br", "zstd", "deflate", "gz"];

    /// <summary>Whether the client already has the representation. The method does not allocate.</summary>
    /// <param name="field">The field of the request. In a malformed line, tags before the error count.</param>
    /// <param name="etag">
    /// The strong entity tag of the representation, in quotes. All tags of the gateway have the same length, so no tag
    /// is a prefix of another.
    /// </param>
    public static bool Matches(StringValues field, string etag)
    {
        if (field.Count == 0) return false;
        if (field.Count == 1 && (field[0] == etag || field[0].AsSpan().Trim() is "*")) return true;
        foreach (var line in field)
        {
            if (Lists(line, etag.AsSpan()[1..^1])) return true;
        }
        return false;
    }

    // A tag may contain a comma, so the parser looks for quotes. A tag has no escapes (section 8.8.3).
    private static bool Lists(ReadOnlySpan<char> line, ReadOnlySpan<char> opaque)
    {
        while (true)
        {
            line = line.TrimStart(" \t,");
            if (line.StartsWith("W/")) line = line[2..];
            if (line.IsEmpty || line[0] != Quote) return false;
            line = line[1..];
            var length = line.IndexOf(Quote);
            if (length < 0) return false;
            if (line[..length].StartsWith(opaque) && IsCodingSuffix(line[opaque.Length..length])) return true;
            line = line[(length + 1)..].TrimStart(" \t");
            if (line.IsEmpty || line[0] != ',') return false;
        }
    }

    /// <summary>Whether a suffix is empty or consists of coding names, each after a separator.</summary>
    private static bool IsCodingSuffix(ReadOnlySpan<char> suffix)
    {
        while (!suffix.IsEmpty)
        {
            var name = suffix.TrimStart("-;:._+");
            if (name.Length == suffix.Length || LengthOfCoding(name) is not (> 0 and var length)) return false;
            suffix = name[length..];
        }
        return true;
    }

    private static int LengthOfCoding(ReadOnlySpan<char> text)
    {
        foreach (var coding in Codings)
        {
            if (text.StartsWith(coding, StringComparison.OrdinalIgnoreCase)) return coding.Length;
        }
        return 0;
    }
}
