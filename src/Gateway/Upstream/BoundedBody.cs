using System.Buffers;
using System.IO.Compression;
using Gateway.Runtime;

namespace Gateway.Upstream;

internal static class BoundedBody
{
    // A body of unknown length is read into a buffer of up to twice its length, and then copied.
    private const int Copies = 3;

    // Refuse more: servers do not apply three codings by mistake.
    private const int MaxCodings = 2;

    /// <summary>
    /// Reads a whole body, and decodes it if it has a content coding (RFC 9110, section 8.4): gzip, deflate or br. The
    /// received and the decoded bytes are bounded.
    /// </summary>
    /// <param name="share">The memory the body may take; null for a small body, which needs no share.</param>
    /// <returns>Null with the fault: the body is too large, or its coding is unknown or broken.</returns>
    /// <exception cref="InsufficientMemoryException">No memory became free in time.</exception>
    /// <exception cref="IOException">
    /// The connection ended within the body, or the body is longer than its Content-Length.
    /// </exception>
    public static async ValueTask<(byte[]? Body, UpstreamFault Fault)> ReadDecodedAsync(
        HttpContent content, int limit, ByteBudget.Share? share, CancellationToken cancellation)
    {
        var body = await ReadAsync(content, limit, share, cancellation);
        if (body is null) return (null, UpstreamFault.TooLarge);
        if (!content.Headers.Contains("Content-Encoding")) return (body, UpstreamFault.None);
        var codings = content.Headers.ContentEncoding.Where(coding => !IsCoding(coding, "identity")).ToArray();
        if (codings.Length > MaxCodings) return (null, UpstreamFault.Encoded);
        // A small encoded body may decode to a large one.
        if (codings.Length > 0) await ServerThreads.LeaveAsync(int.MaxValue);
        // The header lists codings in the order in which the server applied them.
        foreach (var coding in codings.Reverse())
        {
            try
            {
                using var decoding = Decoding(coding, body);
                if (decoding is null) return (null, UpstreamFault.Encoded);
                body = await ReadToEndAsync(decoding, limit, share, cancellation);
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
        // Some servers omit the zlib frame (RFC 1950, section 2.2), which RFC 9110 requires.
        var isFramed = body is [var method, var flags, ..] && (method & 15) == 8 && (method * 256 + flags) % 31 == 0;
        return isFramed ? new ZLibStream(encoded, Decompress) : new DeflateStream(encoded, Decompress);
    }

    private static bool IsCoding(string coding, string name) => coding.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads a whole body into an array of its exact length.</summary>
    /// <param name="share">The memory the body may take; null for a small body, which needs no share.</param>
    /// <returns>Null if the body is longer than <paramref name="limit"/> bytes; no more than that is read.</returns>
    /// <exception cref="InsufficientMemoryException">No memory became free in time.</exception>
    /// <exception cref="IOException">
    /// The connection ended within the body, or the body is longer than its Content-Length.
    /// </exception>
    public static ValueTask<byte[]?> ReadAsync(
        HttpContent content, int limit, ByteBudget.Share? share, CancellationToken cancellation) =>
        content.Headers.ContentLength is not { } length
            ? ReadToEndAsync(content.ReadAsStream(cancellation), limit, share, cancellation)
        : length > limit ? default
        : ReadAsync(content.ReadAsStream(cancellation), (int)length, share, cancellation);

    private static async ValueTask<byte[]?> ReadAsync(
        Stream stream, int length, ByteBudget.Share? share, CancellationToken cancellation)
    {
        await MakeRoomAsync(length, share, cancellation);
        var body = GC.AllocateUninitializedArray<byte>(length);
        await stream.ReadExactlyAsync(body, cancellation);
        // Read to the end of the stream: an HTTP/2 stream that is disposed of before its end is reset.
        if (await stream.ReadAsync(new byte[1], cancellation) > 0)
        {
            throw new IOException("The body is longer than its Content-Length.");
        }
        return body;
    }

    private static async ValueTask MakeRoomAsync(int length, ByteBudget.Share? share, CancellationToken cancellation)
    {
        if (length <= ByteBudget.SmallBody || share is null) return;
        if (!await share.GrowToAsync((long)Copies * length, cancellation)) throw new InsufficientMemoryException();
    }

    private static async ValueTask<byte[]?> ReadToEndAsync(
        Stream stream, int limit, ByteBudget.Share? share, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            for (var length = 0; ;)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(length), cancellation);
                if (read == 0)
                {
                    share?.ShrinkTo((long)Copies * length);
                    return buffer.AsSpan(0, length).ToArray();
                }
                length += read;
                if (length > limit) return null;
                // The length is unknown, so reserve memory for the longest body.
                if (length > ByteBudget.SmallBody) await MakeRoomAsync(limit, share, cancellation);
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
