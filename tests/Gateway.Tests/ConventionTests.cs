using System.Reflection;
using Gateway.Tests.Infrastructure;
using NetArchTest.Rules;

namespace Gateway.Tests;

/// <summary>Conventions that neither the compiler nor the formatter checks.</summary>
[Trait("Kind", "Unit")]
public sealed class ConventionTests
{
    // A test that uses one of these starts a process, opens a socket or asks Redis.
    private static readonly string[] Heavy =
    [
        "System.Net.Http.HttpClient", "System.Net.Sockets", "System.Diagnostics.Process", "StackExchange.Redis",
        "Microsoft.AspNetCore.Builder", "Microsoft.Playwright",
        .. new[]
        {
            "World", "GatewayNode", "GatewayProcess", "ChildProcess", "RedisServer", "OwnRedis", "RedisCluster",
            "Loopback", "RawConnection", "TestPage", "NginxProxy", "NpmTools", "Browser", "Identity",
        }.Select(name => $"Gateway.Tests.Infrastructure.{name}"),
    ];

    // The analyzer of the build does not look at comments and scripts.
    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    [InlineData("bench")]
    public void No_line_is_longer_than_120_columns(string folder)
    {
        var tooLong =
            from path in Directory.EnumerateFiles(
                Path.Combine(Repository.Root, folder), "*", SearchOption.AllDirectories)
            where Path.GetExtension(path) is ".cs" or ".lua" && !IsGenerated(path)
            from line in File.ReadLines(path).Index()
            where line.Item.Length > 120
            select $"{Path.GetRelativePath(Repository.Root, path)}:{line.Index + 1}";

        Assert.Empty(tooLong);
    }

    [Fact]
    public void The_trait_Kind_Unit_marks_the_tests_that_need_no_process_no_socket_and_no_Redis()
    {
        var tests = typeof(ConventionTests).Assembly;
        var heavy = Types.InAssembly(tests).ShouldNot().HaveDependencyOnAny(Heavy).GetResult().FailingTypes
            .Select(type => type.FullName);
        string[] light = [.. tests.GetTypes().Where(HasTests).Select(type => type.FullName!).Except(heavy)];
        string[] marked = [.. tests.GetTypes().Where(IsMarked).Select(type => type.FullName!)];

        Assert.True(light.Order().SequenceEqual(marked.Order()),
            $"To mark: {string.Join(' ', light.Except(marked))}\n"
            + $"Not to mark: {string.Join(' ', marked.Except(light))}");
    }

    private static bool HasTests(Type type) => type is { IsClass: true, IsAbstract: false }
        && type.GetMethods().Any(method => method.IsDefined(typeof(FactAttribute)));

    private static bool IsMarked(Type type) => type.GetCustomAttributes<TraitAttribute>()
        .Any(trait => trait is { Name: "Kind", Value: "Unit" });

    private static bool IsGenerated(string path) =>
        path.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "node_modules");
}
