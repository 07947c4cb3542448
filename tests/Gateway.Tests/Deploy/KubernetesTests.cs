using System.Globalization;
using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Deploy;

/// <summary>Checks that the manifests agree with each other.</summary>
[Trait("Kind", "Unit")]
public sealed class KubernetesTests
{
    private const string Folder = "deploy/kubernetes/", Components = Folder + "components/";

    private static readonly JsonNode Deployment = Yaml.Read(Folder + "deployment.yaml");

    private static readonly JsonNode Service = Yaml.Read(Folder + "service.yaml");

    private static string Name => $"{Deployment["metadata"]!["name"]}";

    public static TheoryData<string> Kustomizations =>
    [
        .. Directory.GetFiles(Path.Combine(Repository.Root, Folder), "kustomization.yaml", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Repository.Root, file)),
    ];

    [Theory]
    [MemberData(nameof(Kustomizations))]
    public void A_kustomization_lists_the_manifests_beside_it(string path)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, path))!;
        var beside = Directory.GetFiles(folder, "*.yaml").Select(file => Path.GetFileName(file)!)
            .Where(name => name != "kustomization.yaml" && !name.EndsWith(".example.yaml", StringComparison.Ordinal));

        var listed = Yaml.Read(path)["resources"]!.AsArray().Select(name => $"{name}");

        Assert.Equal(beside.Order(), listed.Order());
        Assert.All(beside.SelectMany(name => Yaml.ReadAll(Path.Combine(folder, name))),
            manifest => Assert.Equal(("gateway", true), (
                $"{manifest["metadata"]!["name"]}".Split('-')[0], manifest["kind"] is not null)));
    }

    [Fact]
    public void Each_component_is_described_in_the_readme()
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "deploy", "README.md"));
        var components = Directory.GetDirectories(Path.Combine(Repository.Root, Components))
            .Select(folder => Path.GetFileName(folder)!).ToArray();

        Assert.Equal(3, components.Length);
        Assert.All(components, name => Assert.Contains($"`components/{name}`", readme, StringComparison.Ordinal));
        Assert.All(components,
            name => Assert.Equal("Component", $"{Yaml.Read($"{Components}{name}/kustomization.yaml")["kind"]}"));
    }

    [Fact]
    public void Prometheus_scrapes_the_management_port_of_the_pods()
    {
        var spec = Yaml.Read(Components + "podmonitor/podmonitor.yaml")["spec"]!;
        var endpoint = Assert.Single(spec["podMetricsEndpoints"]!.AsArray())!;
        var container = Assert.Single(Deployment["spec"]!["template"]!["spec"]!["containers"]!.AsArray())!;
        var port = container["ports"]!.AsArray().Single(port => $"{port!["name"]}" == $"{endpoint["port"]}")!;
        var management = container["env"]!.AsArray().Single(one => $"{one!["name"]}" == "Management__Port")!;

        Assert.Equal($"{management["value"]}", $"{port["containerPort"]}");
        Assert.Equal("/metrics", $"{endpoint["path"]}");
        Assert.True(JsonNode.DeepEquals(
            Deployment["spec"]!["selector"]!["matchLabels"], spec["selector"]!["matchLabels"]));
    }

    [Fact]
    public void The_autoscaler_scales_the_deployment_and_leaves_a_pod_beside_the_one_that_may_be_missing()
    {
        var spec = Yaml.Read(Components + "autoscaling/horizontalpodautoscaler.yaml")["spec"]!;
        var patch = Assert.Single(
            Yaml.Read(Components + "autoscaling/kustomization.yaml")["patches"]!.AsArray())!;
        var budget = Yaml.Read(Folder + "poddisruptionbudget.yaml")["spec"]!;

        foreach (var target in (JsonNode[])[spec["scaleTargetRef"]!, patch["target"]!])
        {
            Assert.Equal(($"{Deployment["kind"]}", Name), ($"{target["kind"]}", $"{target["name"]}"));
        }
        Assert.Contains("path: /spec/replicas", $"{patch["patch"]}", StringComparison.Ordinal);
        Assert.NotNull(Deployment["spec"]!["replicas"]);
        Assert.True(Number(spec["minReplicas"]) > Number(budget["minAvailable"]));
        Assert.True(Number(spec["maxReplicas"]) > Number(spec["minReplicas"]));
    }

    [Fact]
    public void The_route_leads_to_the_port_of_callers_and_not_to_the_management_port()
    {
        var spec = Yaml.Read(Components + "httproute/httproute.yaml")["spec"]!;
        var backend = Assert.Single(Assert.Single(spec["rules"]!.AsArray())!["backendRefs"]!.AsArray())!;
        var port = Service["spec"]!["ports"]!.AsArray().Single(one => Number(one!["port"]) == Number(backend["port"]))!;

        Assert.Equal($"{Service["metadata"]!["name"]}", $"{backend["name"]}");
        Assert.Equal("http", $"{port["name"]}");
    }

    private static int Number(JsonNode? node) => int.Parse($"{node}", CultureInfo.InvariantCulture);
}
