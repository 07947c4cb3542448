using System.Text;
using System.Text.Json;
using CsCheck;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

public sealed class SignedUrlTests
{
    private static readonly DateTimeOffset Expiry = new(2026, 6, 1, 12, 1, 0, TimeSpan.Zero);

    private static readonly string SigV4 =
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260601T120000Z&X-Amz-Expires=60&X-Amz-Signature=ab";

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
    public void Each_form_tells_when_it_expires(string query) => Assert.Equal(Expiry, SignedUrl.ExpiryIn("https://h/k?" + query));

    [Fact]
    public void A_day_without_a_time_expires_as_it_begins() =>
        Assert.Equal(new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero), SignedUrl.ExpiryIn("https://h/k?se=2026-06-01&sig=ab"));

    [Theory]
    [InlineData("""{"DateLessThan":{"AWS:EpochTime":1780315260}}""")]
    [InlineData("""{"DateLessThan": {"AWS:EpochTime": 1780315260}}""")]
    [InlineData("""{"DateGreaterThan":{"AWS:EpochTime":1780000000},"DateLessThan":{"AWS:EpochTime":1780315260}}""")]
    [InlineData("""{"DateLessThan":{"AWS:EpochTime":1780315260},"DateGreaterThan":{"AWS:EpochTime":1780000000}}""")]
    [InlineData("""{"DateLessThan":{"AWS:EpochTime":1780315260},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}}""")]
    public void A_custom_policy_tells_when_it_expires(string condition)
    {
        var policy = $$"""{"Statement":[{"Resource":"https://h/*?>~","Condition":{{condition}}}]}""";
        var encoded = Base64(policy).Replace('+', '-').Replace('=', '_').Replace('/', '~');
        Assert.Equal(Expiry, SignedUrl.ExpiryIn($"https://h/k?Policy={encoded}&Signature=ab&Key-Pair-Id=K"));
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
    public void What_is_not_signed_or_says_no_time_does_not_expire(string url) => Assert.Null(SignedUrl.ExpiryIn(url));

    [Fact]
    public void A_time_past_the_end_of_the_calendar_is_its_end() => Assert.Equal(DateTimeOffset.MaxValue,
        SignedUrl.ExpiryIn("https://h/k?X-Amz-Date=99991231T235959Z&X-Amz-Expires=2147483647&X-Amz-Signature=ab"));

    [Fact]
    public void The_first_of_several_urls_counts_wherever_it_stands() =>
        Gen.Int[1, 1_000_000].Array[1, 6].Sample(seconds => Assert.Equal(
            DateTimeOffset.FromUnixTimeSeconds(seconds.Min()),
            SignedUrl.ExpiryIn(string.Join(" and\n", seconds.Select(one => $"<https://h/k?Expires={one}&Signature=ab>")))));

    [Fact]
    public void No_text_throws() =>
        Gen.OneOf(Gen.String, Gen.String["?&=%X-AmzDateExpirsSgnu0129TZ"]).Sample(text =>
        {
            SignedUrl.ExpiryIn(text);
            SignedUrl.ExpiryIn($"?Signature=a&Expires={text}&Policy={text}");
            SignedUrl.ExpiryIn($"?X-Amz-Signature=a&X-Amz-Date={text}&X-Amz-Expires={text}");
            SignedUrl.ExpiryIn($"?sig=a&se={text}");
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
        { "base64 with escapes", $"\"{Base64($$"""{"???":"{{SigV4}}"}""").Replace("/", @"\/", StringComparison.Ordinal)}\"" },
        { "bytes", Bytes($$"""{"href":"{{SigV4}}"}""") },
        { "bytes of escaped JSON", Bytes($$"""{"href":"{{Ampersands(SigV4, @"\u0026")}}"}""") },
        { "after half a surrogate pair", $"\"\\ud800 {SigV4}\"" },
        { "after half a surrogate pair elsewhere", $"[\"\\ud800\",\"{SigV4}\"]" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_url_is_found_however_it_is_written(string form, string json)
    {
        Assert.True(JobFacts.TryRead(Encoding.UTF8.GetBytes($$"""{"tasks":[{"result":{{json}}}]}"""), out var facts), form);
        Assert.Equal(Expiry, facts.UrlsExpireAt);
    }

    private static string Ampersands(string text, string written) => text.Replace("&", written, StringComparison.Ordinal);

    private static string Bytes(string text) => $"[{string.Join(',', Encoding.UTF8.GetBytes(text))}]";

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
