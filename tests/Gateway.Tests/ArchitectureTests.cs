using NetArchTest.Rules;

namespace Gateway.Tests;

/// <summary>Checks the layers of <c>docs/architecture.md</c>: a folder uses only folders of lower layers.</summary>
[Trait("Kind", "Unit")]
public sealed class ArchitectureTests
{
    // From the lowest layer up. The root of the project and its commands are above all layers.
    private static readonly string[][] Layers =
    [
        ["Configuration", "Problems", "Runtime"],
        ["Outbound", "Telemetry"],
        ["Redis"],
        ["Jobs", "Limits"],
        ["Callers", "Upstream"],
        ["Caching"],
        ["Watching"],
        ["Edge"],
        ["Admin", "Routes", "Viewer"],
        ["Contract"],
        ["Drift", "Usage"],
    ];

    private static readonly System.Reflection.Assembly Gateway = typeof(Program).Assembly;

    public static TheoryData<string> Folders => [.. Layers.SelectMany(folders => folders)];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_uses_only_folders_of_lower_layers(string folder)
    {
        var layer = Array.FindIndex(Layers, folders => folders.Contains(folder));
        var forbidden = Layers[layer..].SelectMany(folders => folders).Except([folder]).Append("Commands")
            .Select(Namespace)
            .Concat(Gateway.GetTypes().Where(type => type.Namespace == nameof(Gateway)).Select(type => type.FullName!))
            .ToArray();
        var result = Types.InAssembly(Gateway).That().ResideInNamespace(Namespace(folder))
            .ShouldNot().HaveDependencyOnAny(forbidden).GetResult();
        Assert.True(result.IsSuccessful,
            string.Join('\n', result.FailingTypes.Select(type => $"{type.FullName} must not use {type.Explanation}")));
    }

    [Fact]
    public void Each_folder_belongs_to_a_layer()
    {
        var folders = Gateway.GetTypes().Select(type => type.Namespace ?? "")
            .Where(name => name.StartsWith("Gateway.", StringComparison.Ordinal))
            .Select(name => name.Split('.')[1]).Distinct().Order(StringComparer.Ordinal);
        Assert.Equal(Layers.SelectMany(names => names).Append("Commands").Order(StringComparer.Ordinal), folders);
    }

    private static string Namespace(string folder) => $"{nameof(Gateway)}.{folder}";
}
