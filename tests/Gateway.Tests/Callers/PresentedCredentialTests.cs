using Gateway.Callers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Callers;

public sealed class PresentedCredentialTests
{
    [Theory]
    [InlineData("X-Api-Key", "k1", "k1")]
    [InlineData("x-api-key", "  k1  ", "k1")]
    [InlineData("X-Api-Key", "Bearer k1", "Bearer k1")]
    [InlineData("Authorization", "k1", "k1")]
    [InlineData("Authorization", "Bearer k1", "k1")]
    [InlineData("authorization", "bearer k1", "k1")]
    [InlineData("Authorization", "BEARER   k1 ", "k1")]
    [InlineData("Authorization", "bEaReR k1", "k1")]
    [InlineData("Authorization", "Bearerk1", "Bearerk1")]
    [InlineData("Authorization", "Basic azE6", "Basic azE6")]
    public void A_key_comes_in_any_of_three_forms(string header, string value, string key) =>
        Assert.Equal((Presented.Key, key), Find((header, value)));

    [Theory]
    [InlineData("X-Api-Key", "")]
    [InlineData("X-Api-Key", "   ")]
    [InlineData("Authorization", "")]
    [InlineData("Authorization", "Bearer")]
    [InlineData("Authorization", "bearer ")]
    [InlineData("X-Other", "k1")]
    public void A_header_that_says_nothing_presents_nothing(string header, string value) =>
        Assert.Equal((Presented.Nothing, ""), Find((header, value)));

    [Fact]
    public void No_header_presents_nothing() => Assert.Equal((Presented.Nothing, ""), Find());

    [Theory]
    [InlineData("X-Api-Key")]
    [InlineData("Authorization")]
    public void One_header_twice_is_ambiguous_even_when_both_agree(string header) =>
        Assert.Equal((Presented.Ambiguous, ""), Find((header, new StringValues(["k1", "k1"]))));

    [Theory]
    [InlineData("k1", "Bearer k1")]
    [InlineData("k1", "")]
    [InlineData("", "k1")]
    public void Both_headers_are_ambiguous_even_when_they_agree(string own, string authorization) =>
        Assert.Equal((Presented.Ambiguous, ""), Find(("X-Api-Key", own), ("Authorization", authorization)));

    private static (Presented, string) Find(params (string Name, StringValues Value)[] fields)
    {
        var headers = new HeaderDictionary();
        foreach (var (name, value) in fields) headers[name] = value;
        var presented = PresentedCredential.Find(headers, out var key);
        return (presented, key.ToString());
    }
}
