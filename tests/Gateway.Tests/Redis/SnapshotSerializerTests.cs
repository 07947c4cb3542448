using System.Diagnostics.Metrics;
using CsCheck;
using Gateway.Jobs;
using Gateway.Operations;
using Gateway.Redis;
using Microsoft.Extensions.DependencyInjection;
using ZiggyCreatures.Caching.Fusion.Internals.Distributed;

namespace Gateway.Tests.Redis;

public sealed class SnapshotSerializerTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly List<string> _reasons = [];
    private readonly SnapshotSerializer _serializer;

    public SnapshotSerializerTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "gateway.cache.rejected") listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, _, tags, _) => _reasons.Add((string)tags[0].Value!));
        _listener.Start();
        _serializer = new SnapshotSerializer(new GatewayMetrics(_services.GetRequiredService<IMeterFactory>()));
    }

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
    }

    [Fact]
    public void What_is_stored_is_what_is_read() =>
        Gen.Select(Gen.Byte.Array[0, 3000], Gen.Enum<VerdictKind>(), Gen.Int[0, 100_000], Gen.Bool).Sample((body, kind, age, signed) =>
        {
            var before = Entry(body, kind, TimeSpan.FromSeconds(age), signed);
            var after = Read(_serializer.Serialize(before));

            Assert.Equal((before.Timestamp, before.LogicalExpirationTimestamp), (after.Timestamp, after.LogicalExpirationTimestamp));
            Assert.Equal(Facts(before.Value), Facts(after.Value));
            Assert.Equal(before.Value.Representations.Select(r => Convert.ToHexString(r.Body)), after.Value.Representations.Select(r => Convert.ToHexString(r.Body)));
        }, threads: 1);

    [Fact]
    public void Every_flipped_bit_is_noticed_and_counted()
    {
        var stored = _serializer.Serialize(Entry(new byte[100], VerdictKind.Finished, TimeSpan.Zero, signed: true));
        for (var bit = 0; bit < stored.Length * 8; bit++)
        {
            var damaged = (byte[])stored.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidDataException>(() => Read(damaged));
        }
        Assert.Equal(stored.Length * 8, _reasons.Count);
    }

    [Fact]
    public void Every_cut_is_noticed()
    {
        var stored = _serializer.Serialize(Entry(new byte[100], VerdictKind.Finished, TimeSpan.Zero, signed: false));
        for (var length = 0; length < stored.Length; length++) Assert.Throws<InvalidDataException>(() => Read(stored[..length]));
    }

    [Fact]
    public void A_future_version_is_told_from_a_foreign_value()
    {
        var stored = _serializer.Serialize(Entry(new byte[100], VerdictKind.Finished, TimeSpan.Zero, signed: false));
        stored[3]++;
        Assert.Throws<InvalidDataException>(() => Read(stored));
        Assert.Throws<InvalidDataException>(() => Read("{\"Value\":{\"Key\":\"x\"},\"Timestamp\":1}"u8.ToArray()));
        Assert.Equal(["version", "foreign"], _reasons);
    }

    private FusionCacheDistributedEntry<JobSnapshot> Read(byte[] stored) => _serializer.Deserialize<FusionCacheDistributedEntry<JobSnapshot>>(stored)!;

    private static (string, VerdictKind, DateTimeOffset, DateTimeOffset, DateTimeOffset?, string) Facts(JobSnapshot snapshot) =>
        (snapshot.Key, snapshot.Kind, snapshot.FetchedAt, snapshot.FreshUntil, snapshot.UrlsExpireAt,
            string.Join(' ', snapshot.Representations.Select(representation => representation.Coding + representation.ETag)));

    private static FusionCacheDistributedEntry<JobSnapshot> Entry(byte[] body, VerdictKind kind, TimeSpan age, bool signed)
    {
        var now = new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);
        var snapshot = new JobSnapshot
        {
            Key = "{default/w/j}:finished",
            Kind = kind,
            FetchedAt = now - age,
            FreshUntil = now,
            UrlsExpireAt = signed ? now : null,
            Representations = Representation.AllOf(body, thorough: true),
        };
        return new FusionCacheDistributedEntry<JobSnapshot>(snapshot, now.UtcTicks, now.UtcTicks + 1, null, null);
    }
}
