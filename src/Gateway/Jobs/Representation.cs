using System.Buffers.Text;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Gateway.Jobs;

/// <summary>A content coding (RFC 9110, section 8.4.1) that jobs are stored in.</summary>
internal enum ContentCoding : byte
{
    Identity,
    Gzip,
    Brotli,
}

/// <summary>The bytes of a body in one coding, with the strong validator of just these bytes (RFC 9110, section 8.8.3).</summary>
internal sealed class Representation(ContentCoding coding, ReadOnlyMemory<byte> body)
{
    // Below this a coding's own overhead eats what it saves.
    private const int MinBytes = 256;

    public ContentCoding Coding => coding;

    public ReadOnlyMemory<byte> Body => body;

    public string ETag { get; } = $"\"{Base64Url.EncodeToString(SHA256.HashData(body.Span).AsSpan(0, 16))}\"";

    /// <summary>The value of <c>Content-Encoding</c>; null for identity.</summary>
    public string? ContentEncoding => coding switch
    {
        ContentCoding.Brotli => "br",
        ContentCoding.Gzip => "gzip",
        _ => null,
    };

    /// <summary>
    /// All codings of a body that are smaller than the body, identity first.
    /// </summary>
    /// <param name="body">The bytes as they came.</param>
    /// <param name="thorough">Whether the body is kept long enough to be worth more effort.</param>
    public static Representation[] AllOf(byte[] body, bool thorough)
    {
        var identity = new Representation(ContentCoding.Identity, body);
        if (body.Length < MinBytes) return [identity];
        var level = thorough ? CompressionLevel.Optimal : CompressionLevel.Fastest;
        byte[] gzip = Compress(body, to => new GZipStream(to, level)), brotli = Compress(body, to => new BrotliStream(to, level));
        return
        [
            identity,
            .. gzip.Length < body.Length ? [new Representation(ContentCoding.Gzip, gzip)] : Array.Empty<Representation>(),
            .. brotli.Length < body.Length ? [new Representation(ContentCoding.Brotli, brotli)] : Array.Empty<Representation>(),
        ];
    }

    private static byte[] Compress(byte[] body, Func<Stream, Stream> encoder)
    {
        var compressed = new MemoryStream(body.Length / 4);
        using (var encoding = encoder(compressed)) encoding.Write(body);
        return compressed.ToArray();
    }
}
