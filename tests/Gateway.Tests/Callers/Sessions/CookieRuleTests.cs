using Gateway.Callers;
using Gateway.Callers.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Callers.Sessions;

[Trait("Kind", "Unit")]
public sealed class CookieRuleTests
{
    private static readonly OriginOptions Cors = new() { AllowedOrigins = ["https://app.example.com"] };

    [Theory]
    [InlineData("https", "gateway.example", "https://gateway.example")]
    [InlineData("https", "gateway.example:443", "https://gateway.example")]
    [InlineData("https", "Gateway.example", "https://gateway.example")]
    [InlineData("https", "gateway.example:8443", "https://gateway.example:8443")]
    [InlineData("http", "localhost:80", "http://localhost")]
    [InlineData("https", "gateway.example", "https://app.example.com")]
    public void Pages_of_the_same_origin_and_of_allowed_origins_are_accepted(
        string scheme, string host, string origin) =>
        Assert.Equal(Refusal.None, Check(scheme, host, origin));

    [Theory]
    [InlineData("https", "gateway.example", "http://gateway.example")]
    [InlineData("https", "gateway.example", "https://gateway.example:8443")]
    [InlineData("https", "gateway.example:8443", "https://gateway.example")]
    [InlineData("https", "gateway.example:80", "https://gateway.example")]
    [InlineData("http", "gateway.example:443", "http://gateway.example")]
    [InlineData("https", "gateway.example", "https://other.gateway.example")]
    [InlineData("https", "gateway.example", "https://APP.example.com")]
    [InlineData("https", "gateway.example", "null")]
    [InlineData("https", "gateway.example", "")]
    public void Pages_of_other_origins_are_refused(string scheme, string host, string origin) =>
        Assert.Equal(Refusal.ForeignOrigin, Check(scheme, host, origin));

    [Fact]
    public void Two_Origin_values_are_refused_even_if_both_are_allowed() =>
        Assert.Equal(Refusal.ForeignOrigin,
            Check("https", "gateway.example",
            new StringValues(["https://gateway.example", "https://gateway.example"])));

    private static Refusal Check(string scheme, string host, StringValues origin)
    {
        var request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = (scheme, new HostString(host));
        (request.Headers["X-CSRF"], request.Headers.Origin) = ("1", origin);
        return CookieRule.Check(request, Cors, isEventStream: false);
    }
}
