using CsCheck;
using Gateway.Callers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Callers;

[Trait("Kind", "Unit")]
public sealed class PresentedCredentialTests
{
    [Theory]
    [InlineData("X-Api-Key", "k1", "Key", "k1")]
    [InlineData("x-api-key", "  k1  ", "Key", "k1")]
    [InlineData("X-Api-Key", "Bearer k1", "Key", "Bearer k1")]
    [InlineData("Authorization", "k1", "Key", "k1")]
    [InlineData("Authorization", "Bearer k1", "Bearer", "k1")]
    [InlineData("authorization", "bearer k1", "Bearer", "k1")]
    [InlineData("Authorization", "BEARER   k1 ", "Bearer", "k1")]
    [InlineData("Authorization", "bEaReR k1", "Bearer", "k1")]
    [InlineData("Authorization", "Bearerk1", "Key", "Bearerk1")]
    [InlineData("Authorization", "Basic azE6", "Key", "Basic azE6")]
    [InlineData("Cookie", "session=s1", "Session", "s1")]
    [InlineData("Cookie", "a=b; session=s1;c=d", "Session", "s1")]
    [InlineData("Cookie", "session=", "Session", "")]
    public void A_credential_is_read_from_each_supported_header(
        string header, string value, string kind, string credential) =>
        Assert.Equal((Enum.Parse<Presented>(kind), credential), Find((header, value)));

    [Theory]
    [InlineData("X-Api-Key", "")]
    [InlineData("X-Api-Key", "   ")]
    [InlineData("Authorization", "")]
    [InlineData("Authorization", "Bearer")]
    [InlineData("Authorization", "bearer ")]
    [InlineData("X-Other", "k1")]
    [InlineData("Cookie", "sessions=s1; Session=s2; asession=s3; session")]
    [InlineData("Cookie", "")]
    public void A_header_without_a_credential_presents_nothing(string header, string value) =>
        Assert.Equal((Presented.Nothing, ""), Find((header, value)));

    [Fact]
    public void A_request_without_headers_presents_nothing() => Assert.Equal((Presented.Nothing, ""), Find());

    [Theory]
    [InlineData("X-Api-Key")]
    [InlineData("Authorization")]
    public void A_repeated_header_is_ambiguous_even_with_equal_values(string header) =>
        Assert.Equal((Presented.Ambiguous, ""), Find((header, new StringValues(["k1", "k1"]))));

    [Theory]
    [InlineData("k1", "Bearer k1")]
    [InlineData("k1", "")]
    [InlineData("", "k1")]
    public void Two_headers_are_ambiguous_even_with_equal_credentials(string own, string authorization) =>
        Assert.Equal((Presented.Ambiguous, ""), Find(("X-Api-Key", own), ("Authorization", authorization)));

    [Theory]
    [InlineData("X-Api-Key", "k1")]
    [InlineData("Authorization", "Bearer k1")]
    [InlineData("Authorization", "")]
    public void A_session_together_with_a_key_is_ambiguous(string header, string value) =>
        Assert.Equal((Presented.Ambiguous, ""), Find((header, value), ("Cookie", "session=s1")));

    [Fact]
    public void Two_sessions_are_ambiguous()
    {
        Assert.Equal((Presented.Ambiguous, ""), Find(("Cookie", "session=s1; session=s1")));
        Assert.Equal((Presented.Ambiguous, ""), Find(("Cookie", new StringValues(["session=s1", "session=s2"]))));
    }

    [Theory]
    [InlineData("X-Api-Key", "k1,k2")]
    [InlineData("X-Api-Key", "k1, k1")]
    [InlineData("Authorization", "Bearer k1, Bearer k2")]
    [InlineData("Authorization", "k1,")]
    public void Comma_separated_values_are_ambiguous(string header, string value) =>
        Assert.Equal((Presented.Ambiguous, ""), Find((header, value)));

    [Theory]
    [InlineData("k\t1")]
    [InlineData("k\u00011")]
    [InlineData("k1\u007f")]
    [InlineData("k\u00e9")]
    [InlineData("k\ud83d")]
    public void A_value_with_a_control_or_non_ASCII_character_is_malformed(string value)
    {
        Assert.Equal((Presented.Malformed, ""), Find(("X-Api-Key", value)));
        Assert.Equal((Presented.Malformed, ""), Find(("Authorization", "Bearer " + value)));
    }

    [Fact]
    public void A_value_may_be_as_long_as_the_server_accepts_headers() =>
        Assert.Equal(Presented.Bearer, Find(("Authorization", "Bearer " + new string('k', 512 * 1024))).Item1);

    [Fact]
    public void The_session_cookie_is_ignored_if_sessions_are_not_configured()
    {
        var headers = new HeaderDictionary { ["Cookie"] = "session=s1", ["X-Api-Key"] = "k1" };
        Assert.Equal(Presented.Key, PresentedCredential.Find(headers, cookie: null, out _));
    }

    [Fact]
    public void Any_combination_of_headers_is_classified_consistently() =>
        Gen.Select(Gen.String.Array[0, 3], Gen.String.Array[0, 3], Gen.String.Array[0, 3])
            .Sample((own, authorization, cookies) =>
        {
            var (kind, value) = Find(("X-Api-Key", own), ("Authorization", authorization), ("Cookie", cookies));
            Assert.True(value.Length == 0 || kind is Presented.Key or Presented.Bearer or Presented.Session);
            if (own.Length + authorization.Length > 1) Assert.Equal(Presented.Ambiguous, kind);
        });

    private static (Presented, string) Find(params (string Name, StringValues Value)[] fields)
    {
        var headers = new HeaderDictionary();
        foreach (var (name, value) in fields) headers[name] = value;
        var presented = PresentedCredential.Find(headers, "session", out var key);
        return (presented, key.ToString());
    }
}
