using System.IO.Hashing;
using System.Text;
using CsCheck;
using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class SnapshotEnvelopeTests
{
    private const string Name = "{default/w/j}";
    private const long ManyCases = 100_000;

    [Fact]
    public void A_snapshot_round_trips_through_its_envelope() =>
        Gen.Select(Gen.Byte.Array[0, 3000], Gen.Int[0, (int)VerdictKind.NotFound], Gen.Int[0, 100_000], Gen.Bool,
            Gen.Long[0, long.MaxValue])
            .Sample((body, kind, age, signed, order) =>
            {
                var before = Snapshot(body, (VerdictKind)kind, TimeSpan.FromSeconds(age), signed, order);
                var after = Read(SnapshotEnvelope.Write(before, Name))!;

                Assert.Equal(Facts(before), Facts(after));
                Assert.Equal(Bytes(before.Identity), Bytes(after.Identity));
            });

    [Fact]
    public void A_flipped_bit_is_detected()
    {
        var stored = Stored();
        for (var bit = 0; bit < stored.Length * 8; bit++)
        {
            var damaged = (byte[])stored.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(SnapshotEnvelope.Read(damaged, Name, out var reason));
            Assert.Equal(bit < 24 ? "foreign" : bit < 32 ? "version" : "checksum", reason);
        }
    }

    [Fact]
    public void A_truncated_value_is_detected()
    {
        var stored = Stored();
        for (var length = 0; length < stored.Length; length++)
        {
            Assert.Null(SnapshotEnvelope.Read(stored.AsMemory(0, length), Name, out var reason));
            Assert.Equal(length < 20 ? "foreign" : "checksum", reason);
        }
    }

    [Fact]
    public void Appended_bytes_are_detected()
    {
        var stored = Stored();
        Assert.Equal("checksum", Rejection([.. stored, 0]));
        Assert.Equal("checksum", Rejection([.. stored, .. stored]));
    }

    /// <summary>Damage is always a miss with a reason, never an exception or a different job.</summary>
    [Fact]
    public void A_damaged_value_is_a_miss()
    {
        var stored = SnapshotEnvelope.Write(
            Snapshot(new byte[600], VerdictKind.Running, TimeSpan.Zero, signed: true), Name);
        var anywhere = Gen.Select(Gen.Int[0, stored.Length], Gen.Int[0, 60], Gen.Byte.Array[0, 60]);
        anywhere.Array[1, 4].Sample(damages =>
        {
            var damaged = damages.Aggregate(stored, (bytes, damage) =>
            {
                var at = Math.Min(damage.Item1, bytes.Length);
                return [.. bytes[..at], .. damage.Item3, .. bytes.Skip(at + damage.Item2)];
            });
            if (damaged.AsSpan().SequenceEqual(stored)) return;
            Assert.Contains(Rejection(damaged), (string[])["foreign", "version", "checksum"]);
        }, iter: ManyCases);
    }

    [Fact]
    public void Foreign_bytes_are_a_miss() =>
        Gen.Byte.Array[0, 500].Sample(bytes => Assert.Equal("foreign", Rejection(bytes)), iter: ManyCases);

    [Fact]
    public void A_correct_checksum_over_malformed_content_is_a_miss() =>
        Gen.Byte.Array[52, 200].Sample(content =>
        {
            byte[] forged = [.. "GWJ\u0003"u8, .. XxHash128.Hash(content), .. content];
            Assert.Equal("foreign", Rejection(forged));
        }, iter: ManyCases);

    [Theory]
    [InlineData("\"abcdefghijklmnopqrstuQ\"", true)]
    [InlineData("\"abcdefghij\"lmnopqrstuQ\"", false)]
    [InlineData("\"abcdefghij\r\nmnopqrstuQ\"", false)]
    [InlineData("\"abcdefghij lmnopqrstuQ\"", false)]
    [InlineData("'abcdefghijklmnopqrstuQ'", false)]
    public void An_entity_tag_that_is_not_a_valid_header_value_is_a_miss(string etag, bool isJob)
    {
        var stored = Stored();
        Encoding.ASCII.GetBytes(etag).CopyTo(stored, stored.Length - 100 - 4 - etag.Length);
        XxHash128.Hash(stored.AsSpan(20)).CopyTo(stored, 4);
        var read = SnapshotEnvelope.Read(stored, Name, out var reason);
        Assert.Equal(isJob ? "" : "foreign", reason);
        Assert.Equal(isJob ? etag : null, read?.Identity.ETag);
    }

    [Fact]
    public void A_value_of_an_earlier_version_is_reported_as_another_version()
    {
        var stored = Stored();
        stored[3]--;
        Assert.Equal("version", Rejection(stored));
    }

    [Fact]
    public void A_value_stored_under_another_name_is_reported_as_foreign()
    {
        Assert.Null(SnapshotEnvelope.Read(Stored(), "{default/w/k}", out var reason));
        Assert.Equal("foreign", reason);
    }

    [Fact]
    public void A_later_version_is_reported_as_a_version_and_not_as_foreign()
    {
        var stored = Stored();
        stored[3]++;
        Assert.Equal("version", Rejection(stored));
        Assert.Equal("foreign", Rejection("{\"Value\":{\"Key\":\"x\"},\"Timestamp\":1}"u8.ToArray()));
    }

    private static byte[] Stored() =>
        SnapshotEnvelope.Write(Snapshot(new byte[100], VerdictKind.Finished, TimeSpan.Zero, signed: true), Name);

    private static JobSnapshot? Read(byte[] stored) => SnapshotEnvelope.Read(stored, Name, out _);

    private static string Rejection(byte[] stored)
    {
        Assert.Null(SnapshotEnvelope.Read(stored, Name, out var reason));
        return reason;
    }

    private static string Bytes(Representation one) => Convert.ToHexString(one.Body.Span);

    private static (long, VerdictKind, DateTimeOffset, DateTimeOffset, DateTimeOffset, DateTimeOffset?, DateTimeOffset?,
        string) Facts(JobSnapshot snapshot) =>
        (snapshot.Order, snapshot.Kind, snapshot.FetchedAt, snapshot.FreshUntil, snapshot.FirstSeenAt,
            snapshot.UrlsExpireAt, snapshot.AskAgainAt,
            snapshot.Identity.Coding + snapshot.Identity.ETag);

    private static JobSnapshot Snapshot(byte[] body, VerdictKind kind, TimeSpan age, bool signed, long order = 7)
    {
        var now = new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);
        return new JobSnapshot
        {
            Order = order,
            Kind = kind,
            FetchedAt = now - age,
            FreshUntil = now,
            FirstSeenAt = now - 2 * age,
            UrlsExpireAt = signed ? now : null,
            AskAgainAt = signed ? now.AddSeconds(20) : null,
            Identity = new Representation(ContentCoding.Identity, body),
        };
    }
}
