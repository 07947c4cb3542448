using CsCheck;
using Gateway.Callers;
using Gateway.Callers.Sessions;

namespace Gateway.Tests.Callers.Sessions;

[Trait("Kind", "Unit")]
public sealed class ReturnUrlTests
{
    private static readonly OriginOptions Cors =
        new() { AllowedOrigins = ["https://app.example.com", "http://localhost:3000"] };

    [Theory]
    [InlineData(null, "/gw/")]
    [InlineData("", "/gw/")]
    [InlineData("/", "/")]
    [InlineData("/app?x=1#top", "/app?x=1#top")]
    [InlineData("/a//b", "/a//b")]
    [InlineData("/?next=//evil.example", "/?next=//evil.example")]
    [InlineData("https://app.example.com", "https://app.example.com/")]
    [InlineData("https://app.example.com/jobs?x=1", "https://app.example.com/jobs?x=1")]
    [InlineData("https://APP.example.com:443/", "https://app.example.com/")]
    [InlineData("http://localhost:3000/x", "http://localhost:3000/x")]
    public void A_path_of_this_host_or_a_URL_of_an_allowed_origin_is_accepted(string? text, string url) =>
        Assert.Equal(url, ReturnUrl.Check(text, "/gw/", Cors));

    [Theory]
    [InlineData("//evil.example")]
    [InlineData("///evil.example")]
    [InlineData("/\\evil.example")]
    [InlineData("\\\\evil.example")]
    [InlineData("/a\\b")]
    [InlineData("/\t/evil.example")]
    [InlineData("/\n/evil.example")]
    [InlineData("\t//evil.example")]
    [InlineData(" //evil.example")]
    [InlineData(" /app")]
    [InlineData("/app\u0000")]
    [InlineData("/\u00e9")]
    [InlineData("app")]
    [InlineData("?x")]
    [InlineData("https://evil.example")]
    [InlineData("https:evil.example")]
    [InlineData("https:/evil.example")]
    [InlineData("https:///evil.example")]
    [InlineData("http://app.example.com/")]
    [InlineData("https://app.example.com:8443/")]
    [InlineData("https://app.example.com.evil.example/")]
    [InlineData("https://app.example.com@evil.example/")]
    [InlineData("https://user@app.example.com/")]
    [InlineData("https://evil.example#https://app.example.com")]
    [InlineData("javascript:alert(1)")]
    [InlineData("data:text/html,x")]
    [InlineData("file:///etc/passwd")]
    public void Any_other_return_URL_is_rejected(string text) => Assert.Null(ReturnUrl.Check(text, "/", Cors));

    [Fact]
    public void A_return_URL_above_the_maximum_length_is_rejected() =>
        Assert.Null(ReturnUrl.Check("/" + new string('a', ReturnUrl.MaxLength), "/", Cors));

    [Fact]
    public void An_accepted_return_URL_never_leads_to_another_origin() =>
        Gen.OneOf(Gen.String["/\\:@.?#%ahtpsevil-0 \t"], Gen.String,
            Gen.String["/\\"].Select(start => start + "evil.example")).Sample(text =>
        {
            if (ReturnUrl.Check(text, "/", Cors) is not { } url) return;
            // Resolve the URL as a browser at this host does.
            var target = new Uri(new Uri("https://gateway.example/bff/callback"), url);
            Assert.True(target.GetLeftPart(UriPartial.Authority) is "https://gateway.example"
                || Cors.Allow(OriginOptions.OriginOf(target)), $"{text} -> {target}");
        }, iter: 20_000);
}
