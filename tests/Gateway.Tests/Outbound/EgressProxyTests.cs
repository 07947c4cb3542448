using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Tests.Outbound;

/// <summary>The environment variables of the egress proxy.</summary>
[Trait("Kind", "Unit")]
public sealed class EgressProxyTests
{
    [Theory]
    [InlineData("https://example.com", "HTTPS_PROXY=http://p:1", "http://p:1/")]
    [InlineData("https://example.com", "HTTPS_PROXY=p:1", "http://p:1/")]
    [InlineData("https://example.com", "https_proxy=http://p:1;HTTPS_PROXY=http://q:1", "http://p:1/")]
    [InlineData("https://example.com", "HTTP_PROXY=http://p:1", null)]
    [InlineData("http://example.com", "HTTP_PROXY=http://p:1", "http://p:1/")]
    [InlineData("http://example.com", "HTTPS_PROXY=http://p:1", null)]
    [InlineData("http://example.com", "ALL_PROXY=socks5://p:1", "socks5://p:1/")]
    [InlineData("http://example.com", "ALL_PROXY=socks5h://p:1", "socks5://p:1/")]
    [InlineData("https://example.com", "all_proxy=http://p:1;HTTPS_PROXY=http://q:1", "http://q:1/")]
    [InlineData("https://example.com", "HTTPS_PROXY=http://user:secret@p:1", "http://p:1/")]
    [InlineData("http://localhost:5", "ALL_PROXY=http://p:1", null)]
    [InlineData("http://a.localhost", "ALL_PROXY=http://p:1", null)]
    [InlineData("http://127.1.2.3", "ALL_PROXY=http://p:1", null)]
    [InlineData("http://[::1]:80", "ALL_PROXY=http://p:1", null)]
    public void The_scheme_of_the_destination_selects_the_proxy(string destination, string variables, string? proxy) =>
        Assert.Equal(proxy, Of(variables).GetProxy(new Uri(destination))?.ToString());

    [Theory]
    [InlineData("https://a.example.com", "example.com", true)]
    [InlineData("https://a.example.com", ".example.com", true)]
    [InlineData("https://a.example.com", "*.example.com", true)]
    [InlineData("https://example.com", "other, EXAMPLE.com", true)]
    [InlineData("https://notexample.com", "example.com", false)]
    [InlineData("https://example.com", "a.example.com", false)]
    [InlineData("https://example.com", "*", true)]
    [InlineData("https://example.com", "example.com:443", true)]
    [InlineData("https://example.com:8443", "example.com:443", false)]
    [InlineData("https://10.1.2.3", "10.0.0.0/8", true)]
    [InlineData("https://11.1.2.3", "10.0.0.0/8", false)]
    [InlineData("https://10.1.2.3", "10.1.2.3", true)]
    [InlineData("https://10.1.2.3", "10.1.2.3:80", false)]
    [InlineData("https://[2001:db8::1]", "2001:db8::1", true)]
    [InlineData("https://[2001:db8::1]", "[2001:db8::1]:443", true)]
    [InlineData("https://[2001:db8::1]", "2001:db8::/32", true)]
    [InlineData("https://[2001:db8::1]", "2001:db8::2", false)]
    [InlineData("https://example.com", ":", false)]
    public void NO_PROXY_names_hosts_domains_networks_and_ports(string destination, string none, bool isDirect) =>
        Assert.Equal(isDirect, Of($"ALL_PROXY=http://p:1;NO_PROXY={none}").IsBypassed(new Uri(destination)));

    [Fact]
    public void The_user_and_the_password_are_decoded_and_kept_apart_from_the_address()
    {
        var proxy = Of("HTTPS_PROXY=http://us%40er:se%3Acret@p:1");
        var address = proxy.GetProxy(new Uri("https://example.com"))!;
        var login = proxy.Credentials!.GetCredential(address, "Basic")!;
        Assert.Equal(("us@er", "se:cret"), (login.UserName, login.Password));
        Assert.Equal(("HTTPS_PROXY", "http://***@p:1/"), Assert.Single(proxy.Variables));
    }

    [Theory]
    [InlineData("https://p:1")]
    [InlineData("http://")]
    [InlineData("ftp://p:1")]
    [InlineData("http://user:se cret@:x")]
    public void A_variable_that_names_no_proxy_is_an_error_without_its_value(string value)
    {
        var errors = new ConfigurationErrors();
        Of($"https_proxy={value}").Check(errors);
        Assert.Equal("https_proxy: must be an address such as http://proxy.example.com:3128",
            Assert.Single(errors.Lines));
    }

    private static EgressProxy Of(string variables)
    {
        var all = variables.Split(';').Select(one => one.Split('=', 2)).ToDictionary(one => one[0], one => one[1]);
        return new EgressProxy(all.GetValueOrDefault);
    }
}
