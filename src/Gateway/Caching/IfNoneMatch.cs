using Microsoft.Extensions.Primitives;

namespace Gateway.Caching;

/// <summary>
/// <c>If-None-Match</c> (RFC 9110, section 13.1.2): <c>*</c>, or a list of entity tags, compared weakly. A proxy that
/// compresses an answer may mark its entity tag, as <c>W/"x"</c> or with the name of the content coding, and may hand
/// the mark back to the gateway: <c>"x-gzip"</c> of Apache, <c>"x--gzip"</c> of Jetty, <c>"x;gz"</c> of LiteSpeed.
/// </summary>
internal static class IfNoneMatch
{
    private const char Quote = '"';

    // RFC 9110, section 8.4.1, RFC 7932, RFC 8878; LiteSpeed shortens gzip.
    private static readonly string[] Codings = ["gzip", "br", "zstd", "deflate", "gz"];

    /// <summary>Whether the client has the representation. It does not allocate.</summary>
    /// <param name="field">The request's field, in one line or more. A malformed line counts up to its error.</param>
    /// <param name="etag">
    /// The strong entity tag of the representation, in quotes. All tags of its kind have one length, so none begins
    /// with another.
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

    // A comma may be part of a tag, so the tags are found by their quotes; nothing in a tag is escaped (section 8.8.3).
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
            if (line[..length].StartsWith(opaque) && IsMark(line[opaque.Length..length])) return true;
            line = line[(length + 1)..].TrimStart(" \t");
            if (line.IsEmpty || line[0] != ',') return false;
        }
    }

    /// <summary>Whether it is empty, or one or more names of codings, each after a separator, as proxies add.</summary>
    private static bool IsMark(ReadOnlySpan<char> suffix)
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
