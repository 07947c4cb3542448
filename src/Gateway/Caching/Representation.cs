using System.Buffers.Text;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Gateway.Caching;

/// <summary>A content coding (RFC 9110, section 8.4.1) that jobs are stored in.</summary>
internal enum ContentCoding : byte
{
    Identity,
    Gzip,
    Brotli,
}

/// <summary>A body in one content coding, with the strong entity tag of its bytes (RFC 9110, section 8.8.3).</summary>
internal sealed class Representation(ContentCoding coding, ReadOnlyMemory<byte> body, string etag)
{
    /// <summary>The length of an entity tag, quotes included.</summary>
    public const int ETagLength = 24;

    // A smaller body hardly shrinks.
    private const int MinBytes = 256;

    public Representation(ContentCoding coding, ReadOnlyMemory<byte> body)
        : this(coding, body, $"\"{Base64Url.EncodeToString(SHA256.HashData(body.Span).AsSpan(0, 16))}\"")
    {
    }

    public ContentCoding Coding => coding;

    public ReadOnlyMemory<byte> Body => body;

    public string ETag => etag;

    /// <summary>The value of <c>Content-Encoding</c>; null for identity.</summary>
    public string? ContentEncoding => coding switch
    {
        ContentCoding.Brotli => "br",
        ContentCoding.Gzip => "gzip",
        _ => null,
    };

    /// <summary>Returns the body in a coding; null if the result is not smaller.</summary>
    /// <param name="thorough">Whether to compress better and slower, for a body that is kept long.</param>
    public Representation? Encoded(ContentCoding to, bool thorough)
    {
        if (body.Length < MinBytes) return null;
        var level = thorough ? CompressionLevel.Optimal : CompressionLevel.Fastest;
        var compressed = new MemoryStream(body.Length / 4);
        using (Stream encoding = to == ContentCoding.Brotli
            ? new BrotliStream(compressed, level) : new GZipStream(compressed, level))
        {
            encoding.Write(body.Span);
        }
        var encoded = compressed.ToArray();
        return encoded.Length < body.Length ? new Representation(to, encoded) : null;
    }
}
