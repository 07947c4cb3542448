using System.Buffers;

namespace Gateway.Upstream;

internal static class BoundedBody
{
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
