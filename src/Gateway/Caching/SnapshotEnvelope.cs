using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Gateway.Jobs;

namespace Gateway.Caching;

/// <summary>
/// The stored form of a snapshot. A checksum covers all fields and the name of the job. A value that is truncated,
/// altered, foreign, of another version or stored under another name is rejected.
/// </summary>
/// <remarks>
/// <code>
/// 4  "GWJ" and the version
/// 16 XXH128 of all that follows
/// 8  order     8  fetched at    8  fresh until    8  first URL expires at, or 0
/// 8  first seen at              8  earliest next fetch, or 0                    (all but the order in UTC ticks)
/// 1  kind
/// 2+n name (UTF-8)
/// 24 ETag of the body
/// 4+n body
/// </code>
/// All integers are little-endian.
/// </remarks>
internal static class SnapshotEnvelope
{
    private const int ChecksumLength = 16, HeaderLength = 4 + ChecksumLength, FieldsLength = 6 * 8 + 1;

    private static readonly SearchValues<byte> Base64UrlDigits =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8);

    private static ReadOnlySpan<byte> Magic => "GWJ\u0003"u8;

    public static byte[] Write(JobSnapshot snapshot, string name)
    {
        var body = snapshot.Identity.Body.Span;
        var nameLength = Encoding.UTF8.GetByteCount(name);
        var bytes = GC.AllocateUninitializedArray<byte>(
            HeaderLength + FieldsLength + 2 + nameLength + Representation.ETagLength + 4 + body.Length);
        Magic.CopyTo(bytes);
        var rest = bytes.AsSpan(HeaderLength);
        BinaryPrimitives.WriteInt64LittleEndian(rest, snapshot.Order);
        BinaryPrimitives.WriteInt64LittleEndian(rest[8..], snapshot.FetchedAt.UtcTicks);
        BinaryPrimitives.WriteInt64LittleEndian(rest[16..], snapshot.FreshUntil.UtcTicks);
        BinaryPrimitives.WriteInt64LittleEndian(rest[24..], snapshot.UrlsExpireAt?.UtcTicks ?? 0);
        BinaryPrimitives.WriteInt64LittleEndian(rest[32..], snapshot.FirstSeenAt.UtcTicks);
        BinaryPrimitives.WriteInt64LittleEndian(rest[40..], snapshot.AskAgainAt?.UtcTicks ?? 0);
        rest[48] = (byte)snapshot.Kind;
        rest = rest[FieldsLength..];
        BinaryPrimitives.WriteUInt16LittleEndian(rest, (ushort)nameLength);
        Encoding.UTF8.GetBytes(name, rest[2..]);
        rest = rest[(2 + nameLength)..];
        Encoding.ASCII.GetBytes(snapshot.Identity.ETag, rest);
        rest = rest[Representation.ETagLength..];
        BinaryPrimitives.WriteInt32LittleEndian(rest, body.Length);
        body.CopyTo(rest[4..]);
        XxHash128.Hash(bytes.AsSpan(HeaderLength), bytes.AsSpan(Magic.Length));
        return bytes;
    }

    /// <summary>Reads a stored value. The snapshot keeps a reference to <paramref name="data"/>.</summary>
    /// <param name="rejected">
    /// The reason for a result of null: <c>foreign</c>, <c>version</c> or <c>checksum</c>; otherwise empty.
    /// </param>
    public static JobSnapshot? Read(ReadOnlyMemory<byte> data, string name, out string rejected)
    {
        rejected =
            data.Length < HeaderLength || !data.Span.StartsWith(Magic[..^1]) ? "foreign"
            : data.Span[Magic.Length - 1] != Magic[^1] ? "version"
            : !IsWhole(data.Span) ? "checksum"
            : "";
        if (rejected.Length > 0) return null;
        try
        {
            var snapshot = Read(data[HeaderLength..], name);
            if (snapshot is not null && new Verdict(snapshot.Kind, default) is { IsJob: true } or { IsAbsent: true })
            {
                return snapshot;
            }
        }
        catch (ArgumentException)
        {
            // The checksum is right, but lengths or times are impossible. No gateway wrote this value.
        }
        rejected = "foreign";
        return null;
    }

    /// <returns>Null if the value belongs to another name or is malformed.</returns>
    private static JobSnapshot? Read(ReadOnlyMemory<byte> data, string name)
    {
        var order = Int64(ref data);
        var fetchedAt = Time(ref data);
        var freshUntil = Time(ref data);
        var urlsExpireAt = Time(ref data);
        var firstSeenAt = Time(ref data);
        var askAgainAt = Time(ref data);
        var kind = (VerdictKind)Take(ref data, 1).Span[0];
        var label = Take(ref data, BinaryPrimitives.ReadUInt16LittleEndian(Take(ref data, 2).Span));
        if (!Ascii.Equals(label.Span, name) && Encoding.UTF8.GetString(label.Span) != name) return null;
        var etag = Take(ref data, Representation.ETagLength).Span;
        var body = Take(ref data, BinaryPrimitives.ReadInt32LittleEndian(Take(ref data, 4).Span));
        if (data.Length > 0 || etag is not [(byte)'"', .. var opaque, (byte)'"']
            || opaque.ContainsAnyExcept(Base64UrlDigits)) return null;
        return new JobSnapshot
        {
            Order = order,
            Kind = kind,
            FetchedAt = fetchedAt,
            FreshUntil = freshUntil,
            UrlsExpireAt = urlsExpireAt.Ticks == 0 ? null : urlsExpireAt,
            FirstSeenAt = firstSeenAt,
            AskAgainAt = askAgainAt.Ticks == 0 ? null : askAgainAt,
            Identity = new Representation(ContentCoding.Identity, body, Encoding.ASCII.GetString(etag)),
        };
    }

    private static bool IsWhole(ReadOnlySpan<byte> data)
    {
        Span<byte> checksum = stackalloc byte[ChecksumLength];
        XxHash128.Hash(data[HeaderLength..], checksum);
        return checksum.SequenceEqual(data.Slice(Magic.Length, ChecksumLength));
    }

    private static DateTimeOffset Time(ref ReadOnlyMemory<byte> data) => new(Int64(ref data), TimeSpan.Zero);

    private static long Int64(ref ReadOnlyMemory<byte> data) =>
        BinaryPrimitives.ReadInt64LittleEndian(Take(ref data, 8).Span);

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> data, int length)
    {
        var taken = data[..length];
        data = data[length..];
        return taken;
    }
}
