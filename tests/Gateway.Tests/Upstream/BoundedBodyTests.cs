using System.IO.Compression;
using System.Text;
using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

public sealed class BoundedBodyTests
{
    private const int Limit = 10_000;

    private static readonly byte[] Job = Encoding.UTF8.GetBytes($$"""{"id":"j","note":"{{new string('x', 5000)}}"}""");

    [Theory]
    [InlineData("")]
    [InlineData("identity")]
    [InlineData("gzip")]
    [InlineData("X-GZIP")]
    [InlineData("deflate")]
    [InlineData("raw deflate")]
    [InlineData("br")]
    [InlineData("gzip, br")]
    [InlineData("identity, gzip")]
    public async Task A_body_in_any_supported_coding_is_decoded(string codings)
    {
        var (body, fault) = await ReadAsync(
            Encoded(Job, codings), codings.Replace("raw ", "", StringComparison.Ordinal));
        Assert.Equal(UpstreamFault.None, fault);
        Assert.Equal(Job, body);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    [InlineData("gzip, gzip")]
    public async Task A_body_that_exceeds_the_limit_once_decoded_is_TooLarge(string codings)
    {
        // 64 MiB of zeros compress to some kilobytes, and twice encoded to some hundred bytes.
        var encoded = Encoded(new byte[codings.Contains(',', StringComparison.Ordinal) ? 64 << 20 : 1 << 20], codings);
        Assert.True(encoded.Length < Limit);
        Assert.Equal((null, UpstreamFault.TooLarge), await ReadAsync(encoded, codings));
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("compress")]
    [InlineData("aws-chunked")]
    [InlineData("gzip, zstd")]
    [InlineData("gzip, gzip, gzip")]
    public async Task An_unsupported_coding_is_a_fault(string codings) =>
        Assert.Equal((null, UpstreamFault.Encoded), await ReadAsync(Encoded(Job, "gzip"), codings));

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    public async Task A_damaged_body_never_throws_and_gives_either_a_body_or_a_fault(string coding)
    {
        var encoded = Encoded(Job, coding);
        for (var at = 0; at < encoded.Length; at++)
        {
            var damaged = (byte[])encoded.Clone();
            damaged[at] ^= 0x55;
            var (body, fault) = await ReadAsync(damaged, coding);
            Assert.True(body is null == (fault != UpstreamFault.None));
            // Gzip and zlib end with a checksum. Without its end, a body is truncated and is not complete JSON.
            if (body is null || coding == "br") continue;
            Assert.True(body.AsSpan().SequenceEqual(Job) || !JobFacts.TryRead(body, now: null, out _), $"{at}");
        }
        Assert.Equal((null, UpstreamFault.Encoded), await ReadAsync(Job, coding));
    }

    private static async Task<(byte[]?, UpstreamFault)> ReadAsync(byte[] bytes, string codings)
    {
        using var content = new ByteArrayContent(bytes);
        foreach (var coding in codings.Split(", ", StringSplitOptions.RemoveEmptyEntries))
        {
            content.Headers.ContentEncoding.Add(coding);
        }
        return await BoundedBody.ReadDecodedAsync(content, Limit, share: null, World.Cancellation);
    }

    private static byte[] Encoded(byte[] body, string codings)
    {
        foreach (var coding in codings.Split(", ", StringSplitOptions.RemoveEmptyEntries))
        {
            var encoded = new MemoryStream();
            using (Stream? encoding = coding.ToLowerInvariant() switch
            {
                "gzip" or "x-gzip" => new GZipStream(encoded, CompressionLevel.SmallestSize, leaveOpen: true),
                "deflate" => new ZLibStream(encoded, CompressionLevel.SmallestSize, leaveOpen: true),
                "raw deflate" => new DeflateStream(encoded, CompressionLevel.SmallestSize, leaveOpen: true),
                "br" => new BrotliStream(encoded, CompressionLevel.Optimal, leaveOpen: true),
                _ => null,
            })
            {
                if (encoding is null) continue;
                encoding.Write(body);
            }
            body = encoded.ToArray();
        }
        return body;
    }
}
