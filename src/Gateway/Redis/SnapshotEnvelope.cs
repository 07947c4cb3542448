using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Gateway.Jobs;

namespace Gateway.Redis;

/// <summary>
/// The stored form of a snapshot. A checksum covers all of it, its name included, so that what is torn, altered, foreign,
/// of another version or filed under another name is told apart.
/// </summary>
/// <remarks>
/// <code>
/// 4  "GWJ" and the version
/// 16 SHA-256 of all that follows, its first half
/// 8  order     8  fetched at    8  fresh until    8  first URL expires at, or 0   (the latter three in ticks, UTC)
/// 1  kind
/// 2+n name (UTF-8)
/// 1  1, the number of bodies   1  0, for identity   4+n body
/// </code>
/// All integers are little-endian.
/// </remarks>
internal static class SnapshotEnvelope
{
    private const int ChecksumLength = 16;
    private const int HeaderLength = 4 + ChecksumLength;

    private static ReadOnlySpan<byte> Magic => "GWJ\u0001"u8;

    public static byte[] Write(JobSnapshot snapshot, string name)
    {
        var label = Encoding.UTF8.GetBytes(name);
        var bytes = new byte[HeaderLength + 36 + label.Length + 5 + snapshot.Identity.Body.Length];
        using var writer = new BinaryWriter(new MemoryStream(bytes));
        writer.Write(Magic);
        writer.Seek(HeaderLength, SeekOrigin.Begin);
        writer.Write(snapshot.Order);
        writer.Write(snapshot.FetchedAt.UtcTicks);
        writer.Write(snapshot.FreshUntil.UtcTicks);
        writer.Write(snapshot.UrlsExpireAt?.UtcTicks ?? 0);
        writer.Write((byte)snapshot.Kind);
        writer.Write((ushort)label.Length);
        writer.Write(label);
        writer.Write((byte)1);
        writer.Write((byte)ContentCoding.Identity);
        writer.Write(snapshot.Identity.Body.Length);
        writer.Write(snapshot.Identity.Body.Span);
        Checksum(bytes).CopyTo(bytes.AsSpan(Magic.Length));
        return bytes;
    }

    /// <summary>Reads a stored value; the snapshot shares its bytes.</summary>
    /// <param name="rejected">Why it is none: <c>foreign</c>, <c>version</c> or <c>checksum</c>; empty where it is one.</param>
    public static JobSnapshot? Read(ReadOnlyMemory<byte> data, string name, out string rejected)
    {
        rejected =
            data.Length < HeaderLength || !data.Span.StartsWith(Magic[..^1]) ? "foreign"
            : data.Span[Magic.Length - 1] != Magic[^1] ? "version"
            : !Checksum(data.Span).SequenceEqual(data.Span.Slice(Magic.Length, ChecksumLength)) ? "checksum"
            : "";
        if (rejected.Length > 0) return null;
        try
        {
            var snapshot = Read(data[HeaderLength..], out var label);
            if (label == name && snapshot.Kind <= VerdictKind.NotFound) return snapshot;
        }
        catch (ArgumentException)
        {
            // A right checksum over wrong lengths or times: nothing that a gateway wrote.
        }
        rejected = "foreign";
        return null;
    }

    private static JobSnapshot Read(ReadOnlyMemory<byte> data, out string label)
    {
        var order = Int64(ref data);
        var fetchedAt = Time(ref data);
        var freshUntil = Time(ref data);
        var urlsExpireAt = Time(ref data);
        var kind = (VerdictKind)Take(ref data, 1).Span[0];
        label = Encoding.UTF8.GetString(Take(ref data, BinaryPrimitives.ReadUInt16LittleEndian(Take(ref data, 2).Span)).Span);
        // The number of bodies, and the coding of the first: others were written once, and can be made again.
        if (Take(ref data, 2).Span is not [>= 1, (byte)ContentCoding.Identity]) throw new ArgumentException("The first body is not identity.", nameof(data));
        var body = Take(ref data, BinaryPrimitives.ReadInt32LittleEndian(Take(ref data, 4).Span));
        return new JobSnapshot
        {
            Order = order,
            Kind = kind,
            FetchedAt = fetchedAt,
            FreshUntil = freshUntil,
            UrlsExpireAt = urlsExpireAt.Ticks == 0 ? null : urlsExpireAt,
            Identity = new Representation(ContentCoding.Identity, body),
        };
    }

    private static ReadOnlySpan<byte> Checksum(ReadOnlySpan<byte> data) =>
        SHA256.HashData(data[HeaderLength..]).AsSpan(0, ChecksumLength);

    private static DateTimeOffset Time(ref ReadOnlyMemory<byte> data) => new(Int64(ref data), TimeSpan.Zero);

    private static long Int64(ref ReadOnlyMemory<byte> data) => BinaryPrimitives.ReadInt64LittleEndian(Take(ref data, 8).Span);

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> data, int length)
    {
        var taken = data[..length];
        data = data[length..];
        return taken;
    }
}
