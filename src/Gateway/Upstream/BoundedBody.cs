using System.Buffers;
using System.IO.Compression;
using Gateway.Operations;

namespace Gateway.Upstream;

internal static class BoundedBody
{
    // More than two codings on top of each other are nobody's mistake.
    private const int MaxCodings = 2;

    /// <summary>
    /// Reads a whole body, and decodes it where it came in a content coding (RFC 9110, section 8.4): gzip, deflate or
    /// br. Both the bytes that came and the decoded ones are bounded.
    /// </summary>
    /// <returns>Null with the fault: it is too large, or its coding is unknown or broken.</returns>
    /// <exception cref="IOException">The connection ended within the body, or it is longer than it says.</exception>
    public static async ValueTask<(byte[]? Body, UpstreamFault Fault)> ReadDecodedAsync(
        HttpContent content, int limit, CancellationToken cancellation)
    {
        var body = await ReadAsync(content, limit, cancellation);
        if (body is null) return (null, UpstreamFault.TooLarge);
        // Without the header there is nothing to decode, and no list to make.
        if (!content.Headers.Contains("Content-Encoding")) return (body, UpstreamFault.None);
        string[] codings = [.. content.Headers.ContentEncoding.Where(coding => !IsCoding(coding, "identity"))];
        // The codings are listed in the order in which they were applied.
        if (codings.Length > MaxCodings) return (null, UpstreamFault.Encoded);
        // What it decodes to may be much more than what came.
        if (codings.Length > 0) await ServerThreads.LeaveAsync(int.MaxValue);
        foreach (var coding in codings.Reverse())
        {
            try
            {
                using var decoding = Decoding(coding, body);
                if (decoding is null) return (null, UpstreamFault.Encoded);
                body = await ReadToEndAsync(decoding, limit, cancellation);
            }
            catch (Exception e) when (e is InvalidDataException or InvalidOperationException or IOException)
            {
                return (null, UpstreamFault.Encoded);
            }
            if (body is null) return (null, UpstreamFault.TooLarge);
        }
        return (body, UpstreamFault.None);
    }

    private static Stream? Decoding(string coding, byte[] body)
    {
        var encoded = new MemoryStream(body, writable: false);
        const CompressionMode Decompress = CompressionMode.Decompress;
        if (IsCoding(coding, "gzip") || IsCoding(coding, "x-gzip")) return new GZipStream(encoded, Decompress);
        if (IsCoding(coding, "br")) return new BrotliStream(encoded, Decompress);
        if (!IsCoding(coding, "deflate")) return null;
        // Some servers leave out the frame of zlib (RFC 1950, section 2.2), against the standard.
        var isFramed = body is [var method, var flags, ..] && (method & 15) == 8 && (method * 256 + flags) % 31 == 0;
        return isFramed ? new ZLibStream(encoded, Decompress) : new DeflateStream(encoded, Decompress);
    }

    private static bool IsCoding(string coding, string name) => coding.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads a whole body into an array of its exact length.</summary>
    /// <returns>Null: it is longer than <paramref name="limit"/> bytes; no more than that is read.</returns>
    /// <exception cref="IOException">The connection ended within the body, or it is longer than it says.</exception>
    public static ValueTask<byte[]?> ReadAsync(HttpContent content, int limit, CancellationToken cancellation) =>
        content.Headers.ContentLength is not { } length ? ReadToEndAsync(content.ReadAsStream(cancellation), limit, cancellation)
        : length > limit ? default
        : ReadAsync(content.ReadAsStream(cancellation), GC.AllocateUninitializedArray<byte>((int)length), cancellation);

    private static async ValueTask<byte[]?> ReadAsync(Stream stream, byte[] body, CancellationToken cancellation)
    {
        await stream.ReadExactlyAsync(body, cancellation);
        // Over HTTP/2 the end comes by itself, and a stream that is left before it is reset.
        if (await stream.ReadAsync(new byte[1], cancellation) > 0) throw new IOException("The body is longer than it says.");
        return body;
    }

    private static async ValueTask<byte[]?> ReadToEndAsync(Stream stream, int limit, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            for (var length = 0; ;)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(length), cancellation);
                if (read == 0) return buffer.AsSpan(0, length).ToArray();
                length += read;
                if (length > limit) return null;
                if (length == buffer.Length) buffer = Grow(buffer);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }
}
