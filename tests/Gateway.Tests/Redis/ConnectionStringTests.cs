using Gateway.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Redis;

[Trait("Kind", "Unit")]
public sealed class ConnectionStringTests
{
    [Theory]
    [InlineData("ConnectionStrings:Reddis", "redis.example", "ConnectionStrings:Reddis")]
    [InlineData("ConnectionStrings:Redis", "http://redis.example", "redis://user:password@host:port/database")]
    [InlineData("Redis:Prefix", "blue*", "Redis:Prefix")]
    [InlineData("Redis:AssumedNodes", "0", "Redis:AssumedNodes")]
    public void A_wrong_setting_of_Redis_stops_the_start(string key, string value, string expected)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new KeyValuePair<string, string?>(key, value)]).Build();
        var error = Assert.Throws<OptionsValidationException>(
            () => LiveConfiguration<GatewayOptions>.Read(configuration));
        Assert.Contains(error.Failures, line => line.Contains(expected, StringComparison.Ordinal));
    }
}
