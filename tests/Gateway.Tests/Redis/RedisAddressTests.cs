using System.Net;
using Gateway.Redis;

namespace Gateway.Tests.Redis;

public sealed class RedisAddressTests
{
    [Theory]
    [InlineData("redis://redis.example", "redis.example:6379", false, null, null, null)]
    [InlineData("redis://redis.example:7000/3", "redis.example:7000", false, null, null, 3)]
    [InlineData("rediss://node:p%40ss%3Aword@redis.example", "redis.example:6379", true, "node", "p@ss:word", null)]
    [InlineData("rediss://:secret@10.0.0.1:6380/", "10.0.0.1:6380", true, null, "secret", null)]
    [InlineData("redis.example", "redis.example:6379", false, null, null, null)]
    [InlineData("redis.example:7000,user=node,password=p,ssl=true", "redis.example:7000", true, "node", "p", null)]
    [InlineData("sentinel.example,serviceName=jobs", "sentinel.example:26379", false, null, null, null)]
    public void An_address_is_a_connection_string_or_a_URL(
        string address, string server, bool ssl, string? user, string? password, int? database)
    {
        var options = RedisAddress.Parse(address);
        Assert.Equal(server, options.EndPoints.Single() switch
        {
            DnsEndPoint name => $"{name.Host}:{name.Port}",
            var other => $"{other}",
        });
        Assert.Equal((ssl, user, password, database),
            (options.Ssl, options.User, options.Password, options.DefaultDatabase));
        Assert.False(options.AbortOnConnectFail);
    }

    [Theory]
    [InlineData("http://redis.example:6379", "redis://user:password@host:port/database")]
    [InlineData("tcp://redis.example:6379", "redis://user:password@host:port/database")]
    [InlineData("redis://redis.example/zero", "redis://user:password@host:port/database")]
    [InlineData("redis://redis.example?ssl=true", "redis://user:password@host:port/database")]
    [InlineData("redis://", "redis://user:password@host:port/database")]
    [InlineData("redis.example,abortConnect=true", "abortConnect")]
    [InlineData("redis.example,channelPrefix=blue", "Redis:Prefix")]
    [InlineData("redis.example,pasword=secret-0123", "part 2 of the list")]
    public void A_wrong_address_is_refused_with_what_to_write_instead_and_without_its_password(
        string address, string expected)
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => RedisAddress.Parse(address));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-0123", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_of_the_connection_string_are_kept()
    {
        var options = RedisAddress.Parse(
            "redis.example,connectTimeout=3000,asyncTimeout=4000,name=blue,keepAlive=20,connectRetry=7");
        Assert.Equal((3000, 4000, "blue", 20, 7), (options.ConnectTimeout, options.AsyncTimeout, options.ClientName,
            options.KeepAlive, options.ConnectRetry));
    }

    [Fact]
    public void Without_them_the_gateway_notices_a_failure_within_a_second()
    {
        var options = RedisAddress.Parse("redis.example");
        Assert.Equal((1000, "gateway"), (options.ConnectTimeout, options.ClientName));
    }
}
