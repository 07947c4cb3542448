using System.Text;
using System.Text.Json;
using CsCheck;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
public sealed class SignedUrlTests
{
    private static readonly DateTimeOffset Expiry = new(2026, 6, 1, 12, 1, 0, TimeSpan.Zero);

    private static readonly string SigV4 =
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260601T120000Z"
        + "&X-Amz-Expires=60&X-Amz-Signature=ab";

    [Theory]
    [InlineData("X-Amz-Date=20260601T120000Z&X-Amz-Expires=60&X-Amz-Signature=ab")]
    [InlineData("x-amz-date=20260601T120000Z&x-amz-expires=60&x-amz-signature=ab")]
    [InlineData("X-Amz-Signature=ab&X-Amz-Expires=60&X-Amz-Date=20260601T120000Z")]
    [InlineData("X-Goog-Date=20260601T120000Z&X-Goog-Expires=60&X-Goog-Signature=ab")]
    [InlineData("GoogleAccessId=a%40b&Expires=1780315260&Signature=ab%2B")]
    [InlineData("Expires=1780315260&Signature=ab&Key-Pair-Id=K")]
    [InlineData("AWSAccessKeyId=A&Signature=ab&Expires=1780315260")]
    [InlineData("sv=2024-01-01&se=2026-06-01T12:01:00Z&sig=ab")]
    [InlineData("sv=2024-01-01&se=2026-06-01T12%3A01%3A00Z&sig=ab")]
    [InlineData("se=2026-06-01T12%3A01%3A00.0000000Z&sig=ab")]
    [InlineData("se=2026-06-01T12%3A01Z&sig=ab")]
    [InlineData("se=2026-06-01T14%3A01%3A00%2B02%3A00&sig=ab")]
    [InlineData("SE=2026-06-01T12:01:00Z&SIG=ab")]
    [InlineData("se=1780315260&sig=ab&skn=key")]
    [InlineData("skoid=a&sktid=b&skt=2026-06-01T11:00:00Z&ske=2026-06-01T12%3A01%3A00Z&se=2026-06-02T12:00:00Z&sig=ab")]
    [InlineData("OSSAccessKeyId=A&Expires=1780315260&Signature=ab")]
    [InlineData(
        "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20260601T120000Z&x-oss-expires=60&x-oss-signature=ab")]
    [InlineData("X-Tos-Date=20260601T120000Z&X-Tos-Expires=60&X-Tos-Signature=ab")]
    [InlineData("AccessKeyId=A&Expires=1780315260&Signature=ab%3D")]
    [InlineData(
        "q-sign-algorithm=sha1&q-ak=A&q-sign-time=1780315200;1780315260&q-key-time=1780315200;1780315260"
        + "&q-signature=ab")]
    [InlineData("q-sign-time=1780315200%3B1780315260&q-signature=ab")]
    [InlineData("X-Amz-Date=20260601T120000Z&amp;X-Amz-Expires=60&amp;X-Amz-Signature=ab")]
    [InlineData("X%2DAmz%2DDate=20260601T120000Z&X%2DAmz%2DExpires=60&X%2DAmz%2DSignature=ab")]
    [InlineData("X-Amz-Date=20260601T120000Z&X-Amz-Expires=60&X-Amz-Signature=ab#page=2")]
    [InlineData("Expires=1780315260&KeyName=k&Signature=ab")]
    [InlineData("hdnts=exp=1780315260~acl=/*~hmac=0123456789abcdef")]
    [InlineData("__token__=st=1780315000~exp=1780315260~acl=%2f*~hmac=ab")]
    [InlineData("Edge-Cache-Token=URLPrefix=aHR0~Expires=1780315260~KeyName=k~Signature=ab")]
    [InlineData("token=ab&expires=1780315260")]
    [InlineData("s=0123&expires=1780315260")]
    [InlineData("md5=ab&EXPIRES=1780315260")]
    [InlineData("token=1780315260_0x0123456789abcdef0123456789abcdef01234567")]
    [InlineData("token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoxNzgwMzE1MjYwfQ.c2ln")]
    [InlineData("tempauth=v1.eyJzdWIiOiJhIiwiZXhwIjoxNzgwMzE1MjYwfQ.c2ln")]
    [InlineData(
        "url=https%3A%2F%2Fb.s3.amazonaws.com%2Fk%3FX-Amz-Date%3D20260601T120000Z%26X-Amz-Expires%3D60"
        + "%26X-Amz-Signature%3Dab")]
    public void The_expiry_of_each_signature_format_is_read(string query) =>
        Assert.Equal(Expiry, ExpiryIn("https://h/k?" + query));

    [Theory]
    // A session signed at noon ends after an hour, even if the URL states more; a shorter time in the URL counts.
    [InlineData("X-Amz-Date=20260601T120000Z&X-Amz-Expires=604800&X-Amz-Security-Token=t&X-Amz-Signature=ab", 3600)]
    [InlineData("X-Amz-Date=20260601T120000Z&X-Amz-Expires=60&X-Amz-Security-Token=t&X-Amz-Signature=ab", 60)]
    [InlineData("x-oss-date=20260601T120000Z&x-oss-expires=86400&x-oss-security-token=t&x-oss-signature=ab", 3600)]
    // Without the date of the signature, the hour starts now.
    [InlineData("AWSAccessKeyId=A&Expires=1999999999&x-amz-security-token=t&Signature=ab", 3600 + 1800)]
    [InlineData("OSSAccessKeyId=A&Expires=1780315260&security-token=t&Signature=ab", 60)]
    public void A_url_signed_with_session_credentials_expires_within_an_hour(string query, int seconds)
    {
        var noon = Expiry.AddMinutes(-1);
        Assert.Equal(noon.AddSeconds(seconds), ExpiryIn(
            "https://h/k?" + query, noon.AddMinutes(query.Contains("19999", StringComparison.Ordinal) ? 30 : 0)));
    }

    [Fact]
    public void Expired_urls_are_reported_separately_from_working_ones()
    {
        var found = new UrlExpiries(Expiry);
        SignedUrl.Read(
            "https://h/k?Expires=1780315260&Signature=ab https://h/k?Expires=1780315320&Signature=ab "
            + "https://h/k?Expires=1780315380&Signature=ab", ref found);
        Assert.Equal((true, Expiry.AddMinutes(1)), (found.HasExpired, found.FirstToCome));
    }

    [Theory]
    [InlineData("?")]
    [InlineData("?a=b&sig=")]
    [InlineData("?Signature=ab&Expires=1780315260&")]
    [InlineData("%3F")]
    [InlineData("?token=eyJ.")]
    [InlineData("?sig=%3Fsig=%253F")]
    public void Text_of_16_MiB_is_read_in_linear_time(string part)
    {
        var (small, large) = (Repeated(part, 1 << 20), Repeated(part, 16 << 20));
        var found = new UrlExpiries(Expiry);
        SignedUrl.Read(small, ref found);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        SignedUrl.Read(small, ref found);
        var once = watch.Elapsed + TimeSpan.FromMilliseconds(50);
        watch.Restart();
        SignedUrl.Read(large, ref found);
        // Linear time is 16 times as long. A quadratic reader takes 256 times as long, and a busy machine adds to it.
        Assert.True(watch.Elapsed < once * 100, $"{once} and {watch.Elapsed}");
    }

    private static string Repeated(string part, int length) =>
        string.Concat(Enumerable.Repeat(part, length / part.Length));

    [Fact]
    public void A_date_without_a_time_expires_at_the_start_of_the_day() =>
        Assert.Equal(new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero),
            ExpiryIn("https://h/k?se=2026-06-01&sig=ab"));

    [Theory]
    [InlineData("""{"DateLessThan":{"AWS:EpochTime":1780315260}}""")]
    [InlineData("""{"DateLessThan": {"AWS:EpochTime": 1780315260}}""")]
    [InlineData("""{"DateGreaterThan":{"AWS:EpochTime":1780000000},"DateLessThan":{"AWS:EpochTime":1780315260}}""")]
    [InlineData("""{"DateLessThan":{"AWS:EpochTime":1780315260},"DateGreaterThan":{"AWS:EpochTime":1780000000}}""")]
    [InlineData("""{"DateLessThan":{"AWS:EpochTime":1780315260},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}}""")]
    public void The_expiry_of_a_custom_policy_is_read(string condition)
    {
        var policy = $$"""{"Statement":[{"Resource":"https://h/*?>~","Condition":{{condition}}}]}""";
        var encoded = Base64(policy).Replace('+', '-').Replace('=', '_').Replace('/', '~');
        Assert.Equal(Expiry, ExpiryIn($"https://h/k?Policy={encoded}&Signature=ab&Key-Pair-Id=K"));
    }

    [Theory]
    [InlineData("https://h/k")]
    [InlineData("https://h/k?")]
    [InlineData("https://h/k?Expires=1780315260")]
    [InlineData("https://h/k?se=2026-06-01T12:01:00Z")]
    [InlineData("https://h/k?X-Amz-Date=20260601T120000Z&X-Amz-Expires=60")]
    [InlineData("https://h/k?X-Amz-Date=soon&X-Amz-Expires=60&X-Amz-Signature=ab")]
    [InlineData("https://h/k?X-Amz-Date=20260601T120000Z&X-Amz-Expires=-60&X-Amz-Signature=ab")]
    [InlineData("https://h/k?X-Amz-Signature=ab")]
    [InlineData("https://h/k?Policy=%%%&Signature=ab")]
    [InlineData("https://h/k?Policy=e30_&Signature=ab")]
    [InlineData("https://h/k?Expires=soon&Signature=ab")]
    [InlineData("https://h/k?Expires=99999999999999&Signature=ab")]
    [InlineData("https://h/k?se=soon&sig=ab")]
    [InlineData("https://h/k?si=policy&sig=ab")]
    [InlineData("https://h/k?token=ab&exp=5")]
    [InlineData("https://h/k?exp=1780315260")]
    [InlineData("https://h/k?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln")]
    [InlineData("https://h/k?token=eyJ.eyJ.eyJ")]
    [InlineData("https://h/k?token=exp=1780315260~acl=/*")]
    [InlineData("https://h/k?q-sign-time=1780315200;1780315260")]
    [InlineData("https://h/k?q-sign-time=;&q-signature=ab")]
    [InlineData("https://objectstorage.eu.oraclecloud.com/p/token/n/ns/b/bucket/o/k")]
    public void A_url_without_a_signature_or_an_expiry_does_not_expire(string url) => Assert.Null(ExpiryIn(url));

    [Fact]
    public void An_expiry_beyond_the_calendar_is_its_last_instant() => Assert.Equal(DateTimeOffset.MaxValue,
        ExpiryIn("https://h/k?X-Amz-Date=99991231T235959Z&X-Amz-Expires=2147483647&X-Amz-Signature=ab"));

    [Fact]
    public void The_earliest_expiry_of_several_urls_counts() =>
        Gen.Int[1_000_000_000, 2_000_000_000].Array[1, 6].Sample(seconds => Assert.Equal(
            DateTimeOffset.FromUnixTimeSeconds(seconds.Min()),
            ExpiryIn(string.Join(" and\n", seconds.Select(one => $"<https://h/k?Expires={one}&Signature=ab>")))));

    [Fact]
    public void Reading_any_text_never_throws() =>
        Gen.OneOf(Gen.String, Gen.String["?&=%X-AmzDateExpirsSgnu0129TZ"]).Sample(text =>
        {
            ExpiryIn(text);
            ExpiryIn($"?token={text}&exp={text}");
            ExpiryIn($"?token=eyJ{text}&q-signature=a&q-sign-time={text}");
            ExpiryIn($"?Signature=a&Expires={text}&Policy={text}");
            ExpiryIn($"?X-Amz-Signature=a&X-Amz-Date={text}&X-Amz-Expires={text}");
            ExpiryIn($"?sig=a&se={text}");
        });

    public static TheoryData<string, string> Forms => new()
    {
        { "plain", $"\"{SigV4}\"" },
        { "an escaped ampersand", $"\"{Ampersands(SigV4, @"\u0026")}\"" },
        { "every character escaped", $"\"{string.Concat(SigV4.Select(c => $"\\u{(int)c:x4}"))}\"" },
        { "escaped slashes", $"\"{SigV4.Replace("/", @"\/", StringComparison.Ordinal)}\"" },
        { "nested", $$$"""[[{"a":{"b":["{{{SigV4}}}"]}}]]""" },
        { "JSON in a string", JsonSerializer.Serialize($$"""{"href":"{{SigV4}}"}""") },
        { "escaped JSON in a string", JsonSerializer.Serialize($$"""{"href":"{{Ampersands(SigV4, @"\u0026")}}"}""") },
        { "JSON in base64", $"\"{Base64($$"""{"href":"{{SigV4}}"}""")}\"" },
        { "escaped JSON in base64", $"\"{Base64($$"""{"href":"{{Ampersands(SigV4, @"\u0026")}}"}""")}\"" },
        { "base64 with escapes",
            $"\"{Base64($$"""{"???":"{{SigV4}}"}""").Replace("/", @"\/", StringComparison.Ordinal)}\"" },
        { "bytes", Bytes($$"""{"href":"{{SigV4}}"}""") },
        { "bytes of escaped JSON", Bytes($$"""{"href":"{{Ampersands(SigV4, @"\u0026")}}"}""") },
        { "after half a surrogate pair", $"\"\\ud800 {SigV4}\"" },
        { "after half a surrogate pair elsewhere", $"[\"\\ud800\",\"{SigV4}\"]" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_signed_url_is_found_in_every_encoding(string form, string json)
    {
        Assert.True(
            JobFacts.TryRead(Encoding.UTF8.GetBytes($$"""{"tasks":[{"result":{{json}}}]}"""), Expiry.AddMinutes(-1),
                out var facts), form);
        Assert.Equal(Expiry, facts.UrlsExpireAt);
    }

    private static DateTimeOffset? ExpiryIn(string text, DateTimeOffset now = default)
    {
        var found = new UrlExpiries(now);
        SignedUrl.Read(text, ref found);
        return found.FirstToCome;
    }

    private static string Ampersands(string text, string written) =>
        text.Replace("&", written, StringComparison.Ordinal);

    private static string Bytes(string text) => $"[{string.Join(',', Encoding.UTF8.GetBytes(text))}]";

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
