using System.Reflection;

namespace Gateway.Tests.Infrastructure;

public sealed class RedisServerTests
{
    [Fact]
    public void Every_test_class_that_uses_the_shared_Redis_has_a_Redis_trait()
    {
        var classes = typeof(RedisServer).Assembly.GetTypes().Where(type => type.GetConstructors()
            .Any(constructor => constructor.GetParameters()
                .Any(parameter => parameter.ParameterType == typeof(RedisServer)))).ToList();
        Assert.NotEmpty(classes);
        Assert.All(classes, type => Assert.Contains(
            type.GetCustomAttributes<TraitAttribute>(), trait => trait is { Name: "Redis", Value: "any" or "one" }));
    }
}
