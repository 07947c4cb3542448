using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Gateway.Jobs;
using Gateway.Operations;
using ZiggyCreatures.Caching.Fusion.Internals;
using ZiggyCreatures.Caching.Fusion.Internals.Distributed;
using ZiggyCreatures.Caching.Fusion.Serialization;

namespace Gateway.Redis;

/// <summary>
/// The stored form of a snapshot. A checksum covers all of it, so that what is torn, altered, foreign or of another
/// version is told apart and counts as a miss.
/// </summary>
/// <remarks>
/// <code>
/// 4  "GWJ" and the version
/// 16 SHA-256 of all that follows, its first half
/// 8  FusionCache's timestamp     8  FusionCache's expiry      (ticks, UTC)
/// 1  kind
/// 8  fetched at    8  fresh until    8  first URL expires at, or 0   (ticks, UTC)
/// 2+n key (UTF-8)
/// 1  number of representations, then for each:   1 coding   4+n body
/// </code>
/// All integers are little-endian.
/// </remarks>
internal sealed class SnapshotSerializer(GatewayMetrics metrics) : IFusionCacheSerializer
{
    private const int HeaderLength = 4 + ChecksumLength;
    private const int ChecksumLength = 16;

    private static ReadOnlySpan<byte> Magic => "GWJ\u0001"u8;

    public byte[] Serialize<T>(T? obj)
    {
        var entry = (FusionCacheDistributedEntry<JobSnapshot>)(object)obj!;
        var snapshot = entry.Value;
        var stream = new MemoryStream((int)snapshot.Size);
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(stackalloc byte[ChecksumLength]);
            writer.Write(entry.Timestamp);
            writer.Write(entry.LogicalExpirationTimestamp);
            writer.Write((byte)snapshot.Kind);
            writer.Write(snapshot.FetchedAt.UtcTicks);
            writer.Write(snapshot.FreshUntil.UtcTicks);
            writer.Write(snapshot.UrlsExpireAt?.UtcTicks ?? 0);
            var key = Encoding.UTF8.GetBytes(snapshot.Key);
            writer.Write((ushort)key.Length);
            writer.Write(key);
            writer.Write((byte)snapshot.Representations.Length);
            foreach (var representation in snapshot.Representations)
            {
                writer.Write((byte)representation.Coding);
                writer.Write(representation.Body.Length);
                writer.Write(representation.Body);
            }
        }
        var bytes = stream.ToArray();
        Checksum(bytes).CopyTo(bytes.AsSpan(Magic.Length));
        return bytes;
    }

    /// <exception cref="InvalidDataException">These bytes are not a snapshot; the cache takes that for a miss.</exception>
    public T? Deserialize<T>(byte[] data)
    {
        var reason =
            data.Length < HeaderLength || !data.AsSpan().StartsWith(Magic[..^1]) ? "foreign"
            : data[Magic.Length - 1] != Magic[^1] ? "version"
            : !Checksum(data).SequenceEqual(data.AsSpan(Magic.Length, ChecksumLength)) ? "checksum"
            : null;
        if (reason is not null)
        {
            metrics.StoredValueRejected(reason);
            throw new InvalidDataException($"A stored value was rejected: {reason}");
        }
        return (T)(object)Read(data.AsSpan(HeaderLength));
    }

    public ValueTask<byte[]> SerializeAsync<T>(T? obj, CancellationToken token = default) => new(Serialize(obj));

    public ValueTask<T?> DeserializeAsync<T>(byte[] data, CancellationToken token = default) => new(Deserialize<T>(data));

    // Past the checksum the bytes are ours, so their lengths are right.
    private static FusionCacheDistributedEntry<JobSnapshot> Read(ReadOnlySpan<byte> data)
    {
        var timestamp = Int64(ref data);
        var expiry = Int64(ref data);
        var kind = (VerdictKind)Take(ref data, 1)[0];
        var fetchedAt = Time(ref data);
        var freshUntil = Time(ref data);
        var urlsExpireAt = Time(ref data);
        var key = Encoding.UTF8.GetString(Take(ref data, BinaryPrimitives.ReadUInt16LittleEndian(Take(ref data, 2))));
        var representations = new Representation[Take(ref data, 1)[0]];
        for (var i = 0; i < representations.Length; i++)
        {
            var coding = (ContentCoding)Take(ref data, 1)[0];
            representations[i] = new Representation(coding, Take(ref data, BinaryPrimitives.ReadInt32LittleEndian(Take(ref data, 4))).ToArray());
        }
        var snapshot = new JobSnapshot
        {
            Key = key,
            Kind = kind,
            FetchedAt = fetchedAt,
            FreshUntil = freshUntil,
            UrlsExpireAt = urlsExpireAt.Ticks == 0 ? null : urlsExpireAt,
            Representations = representations,
        };
        var metadata = new FusionCacheEntryMetadata(false, null, null, null, snapshot.Size, null);
        return new FusionCacheDistributedEntry<JobSnapshot>(snapshot, timestamp, expiry, null, metadata);
    }

    private static ReadOnlySpan<byte> Checksum(ReadOnlySpan<byte> data) =>
        SHA256.HashData(data[HeaderLength..]).AsSpan(0, ChecksumLength);

    private static DateTimeOffset Time(ref ReadOnlySpan<byte> data) => new(Int64(ref data), TimeSpan.Zero);

    private static long Int64(ref ReadOnlySpan<byte> data) => BinaryPrimitives.ReadInt64LittleEndian(Take(ref data, 8));

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> data, int length)
    {
        var taken = data[..length];
        data = data[length..];
        return taken;
    }
}
