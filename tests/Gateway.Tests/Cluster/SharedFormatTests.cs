using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Caching;
using Gateway.Callers.Sessions;
using Gateway.Jobs;
using Gateway.Upstream;
using StackExchange.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>
/// The values that nodes share in Redis, as the last release writes them. Nodes of this version and of the last one
/// must read each other's values, because both run during an upgrade; see docs/upgrading.md.
/// </summary>
public sealed class SharedFormatTests
{
    private const string Name = "{default/survey-1/job-7}";

    private const string StoredJob =
        "R1dKA28RrFKJd6rB50la2LxPmtDAz2oAAAAAAABAWLlwv94IAG2JunC/3ggAqBwbeb/eCID1+rNwv94I"
        + "gDBTvHC/3ggCGAB7ZGVmYXVsdC9zdXJ2ZXktMS9qb2ItN30icGlQQlg2UmtqekZmOUlvQVNRc0RTUSIO"
        + "AAAAeyJpZCI6ImpvYi03In0=";

    private const string StoredAccount = """
        {
          "Origin": "0a1b", "ChangedAt": 1500000000000000, "ClockOffset": 2, "FullAt": 3,
          "Turns": { "VirtualTime": 1.5, "Served": { "mapping": 1.25 }, "ReadsInRow": 2 },
          "Polls": { "VirtualTime": 2.5, "Served": { "mapping 0a1b": 2.25 } },
          "Health": {
            "PausedUntil": 4,
            "Circuit": {
              "IsOpen": true, "ProbeFrom": 8, "Probes": 1, "Good": 2, "Bad": 3, "GoodBefore": 4, "BadBefore": 5,
              "WindowUntil": 9, "Failing": [11], "FailingUntil": 10, "Broken": [12], "GoodAt": 11
            },
            "Credentials": {
              "00ff": {
                "Jobs": [{ "Address": "survey-1/job-7", "IsRefused": true }], "IsAccepted": true, "AcceptedAt": 12,
                "TrialAcceptedAt": 13, "SuspectAt": 14, "Refused": [1], "Excused": [2], "RefusedSince": 15,
                "RefusedAt": 16, "HalfOpenSince": 17, "IsUnauthorized": true, "Trials": 2, "DeadSince": 18,
                "ProbeFrom": 19, "FirstProbeUntil": 20, "DoubtUntil": 21
              }
            },
            "TrialFrom": 5, "TrialUntil": 6, "WasCallersProbe": true, "CertainUntil": 7
          },
          "Nodes": {
            "0a1b": {
              "UnderWay": { "mapping": 2 }, "Until": 22,
              "Waiting": [{ "Rank": 1, "Team": "mapping", "Count": 3 }], "WaitingUntil": 23
            }
          }
        }
        """;

    private const string StoredFailure = "f:7000000:" + """
        {
          "Verdict": { "Kind": 9, "Lifetime": "00:00:00", "Detail": "upstream-unavailable" },
          "Answer": { "Status": 503, "Body": "", "RetryAfter": "00:00:01", "Fault": 0 },
          "BackOff": "00:00:01", "Order": 7000000
        }
        """;

    private const string StoredSession = """
        {
          "Issuer": "https://provider.example", "Claims": { "sub": "ada", "sid": "s-1" }, "Order": 7000000,
          "EndsAt": "2026-06-01T08:00:00+00:00"
        }
        """;

    [Fact]
    public void A_stored_job_has_the_form_of_the_last_release()
    {
        Assert.Equal(StoredJob, Convert.ToBase64String(SnapshotEnvelope.Write(Job(), Name)));

        var read = SnapshotEnvelope.Read(Convert.FromBase64String(StoredJob), Name, out _)!;
        Assert.Equal((7_000_000, VerdictKind.Running, Start, Start.AddSeconds(2)),
            (read.Order, read.Kind, read.FetchedAt, read.FreshUntil));
        Assert.Equal("""{"id":"job-7"}""", Encoding.UTF8.GetString(read.Identity.Body.Span));
    }

    [Fact]
    public void The_state_of_an_account_has_all_members_of_the_last_release()
    {
        var state = JsonSerializer.Deserialize<AccountState>(StoredAccount)!;
        AssertKeeps(StoredAccount, JsonSerializer.SerializeToUtf8Bytes(state, AccountStore.Json));
    }

    [Fact]
    public void A_failed_fetch_has_all_members_of_the_last_release()
    {
        var held = RedisResult.Create([(RedisValue)"held", (RedisValue)StoredFailure, (RedisValue)999]);
        var failed = Assert.IsType<FetchLock.FailedBefore>(FetchLock.Read(held, "fetch-1"));
        var (written, _) = FetchLock.Failed(failed.Failure.Order, failed.Failure);

        Assert.StartsWith("f:7000000:", written, StringComparison.Ordinal);
        AssertKeeps(StoredFailure["f:7000000:".Length..], Encoding.UTF8.GetBytes(written["f:7000000:".Length..]));
    }

    [Fact]
    public void A_session_has_all_members_of_the_last_release() => AssertKeeps(
        StoredSession, Session.Parse(Encoding.UTF8.GetBytes(StoredSession))!.Serialize());

    [Theory]
    [InlineData("*")]
    [InlineData("default")]
    [InlineData("default/survey-1")]
    [InlineData("default/survey-1/job-7")]
    public void A_purge_has_the_name_of_the_last_release(string name)
    {
        Assert.True(PurgeScope.TryParse(name, out var scope));
        Assert.Equal(name, scope.Name);
    }

    private static DateTimeOffset Start { get; } = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    private static JobSnapshot Job() => new()
    {
        Order = 7_000_000,
        Kind = VerdictKind.Running,
        FetchedAt = Start,
        FreshUntil = Start.AddSeconds(2),
        FirstSeenAt = Start.AddSeconds(-9),
        UrlsExpireAt = Start.AddHours(1),
        AskAgainAt = Start.AddSeconds(5),
        Identity = new Representation(ContentCoding.Identity, """{"id":"job-7"}"""u8.ToArray()),
    };

    // New members may be added: a node of the last release ignores them.
    private static void AssertKeeps(string before, byte[] now)
    {
        var (old, current) = (JsonNode.Parse(before)!, JsonNode.Parse(now)!);
        Assert.Empty(Missing(old, current, ""));
    }

    private static IEnumerable<string> Missing(JsonNode? old, JsonNode? current, string path) => (old, current) switch
    {
        (JsonObject olds, JsonObject currents) =>
            olds.SelectMany(member => Missing(member.Value, currents[member.Key], $"{path}/{member.Key}")),
        (JsonArray olds, JsonArray currents) when olds.Count == currents.Count =>
            olds.Zip(currents).SelectMany((pair, i) => Missing(pair.First, pair.Second, $"{path}/{i}")),
        _ => JsonNode.DeepEquals(old, current) ? [] : [path],
    };
}
