using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>Tests that every change that breaks a client is detected.</summary>
[Trait("Kind", "Unit")]
public sealed class ContractChangesTests
{
    private const string Operation = "paths|/v0/workflows/{workflow_id}/jobs/{job_id}|get";

    private readonly JsonNode _old = Read("openapi.json"), _new = Read("openapi.json");

    [Fact]
    public void Every_breaking_change_since_the_last_release_is_declared()
    {
        var declared = File.ReadAllLines(PathOf("openapi.breaking.txt"))
            .Where(line => line.Length > 0 && line[0] != '/').ToHashSet();
        var breaking = ContractChanges.Between(Read("openapi.released.json"), _new).Where(change => change.IsBreaking)
            .Select(change => $"{change}").ToList();

        Assert.True(breaking.TrueForAll(declared.Contains),
            $"Changes break clients of the last release. Declare intended ones in docs/openapi.breaking.txt, a line "
            + $"each:\n{string.Join('\n', breaking.Where(change => !declared.Contains(change)))}");
        Assert.Equal(declared.Intersect(breaking).Order(), declared.Order());
    }

    [Fact]
    public void A_contract_has_no_changes_from_itself() => Assert.Empty(ContractChanges.Between(_old, _new));

    [Theory]
    [InlineData(Operation, null, true)]
    [InlineData(Operation + "|operationId", "\"getJob\"", true)]
    [InlineData(Operation + "|responses|200", null, true)]
    [InlineData(Operation + "|responses|502", null, false)]
    [InlineData(Operation + "|responses|418", "{}", false)]
    [InlineData(Operation + "|responses|200|headers|ETag", null, true)]
    [InlineData(Operation + "|responses|200|headers|X-New", "{\"schema\":{}}", false)]
    [InlineData(Operation + "|responses|200|content|application/json", null, true)]
    [InlineData(Operation + "|responses|429|headers|Retry-After|schema|type", "\"string\"", true)]
    [InlineData(Operation + "|responses|429|headers|RateLimit|schema|pattern", "\"^a\"", false)]
    [InlineData(Operation + "|responses|429|headers|Retry-After|schema|minimum", "5", true)]
    [InlineData(Operation + "|responses|429|headers|Retry-After|schema|format", "\"int64\"", true)]
    [InlineData(Operation + "|parameters", "[]", true)]
    [InlineData("components|schemas|UpstreamError|properties|code|format", "\"uuid\"", true)]
    [InlineData("components|schemas|JobTask|properties|progress|minimum", "0", false)]
    [InlineData("components|schemas|Job|properties|status", null, true)]
    [InlineData("components|schemas|Job|properties|new", "{\"type\":\"string\"}", false)]
    [InlineData("components|schemas|Job|properties|cost|type", "\"string\"", true)]
    [InlineData("components|schemas|JobTask|properties|progress|type", "[\"null\",\"integer\"]", true)]
    [InlineData("components|schemas|BlockInfo|properties|version", null, true)]
    [InlineData("components|schemas|ProblemBody|required", "[\"type\"]", true)]
    [InlineData("components|schemas|Job|required", "[\"id\"]", false)]
    [InlineData("components|securitySchemes|bearer", null, true)]
    [InlineData("components|securitySchemes|mtls", "{\"type\":\"mutualTLS\"}", false)]
    [InlineData("components|securitySchemes|apiKey|name", "\"X-Key\"", true)]
    public void A_change_is_reported_and_classified_as_breaking_or_not(string place, string? value, bool isBreaking)
    {
        Set(place, value);

        var changes = ContractChanges.Between(_old, _new);

        Assert.NotEmpty(changes);
        Assert.Equal(isBreaking, changes.Exists(change => change.IsBreaking));
    }

    [Theory]
    [InlineData("{\"name\":\"since\",\"in\":\"query\",\"required\":true,\"schema\":{}}", true)]
    [InlineData("{\"name\":\"since\",\"in\":\"query\",\"schema\":{}}", false)]
    public void A_new_parameter_is_breaking_only_if_it_is_required(string parameter, bool isBreaking)
    {
        At(Operation)["parameters"]!.AsArray().Add(JsonNode.Parse(parameter));

        Assert.Equal(isBreaking, Assert.Single(ContractChanges.Between(_old, _new)).IsBreaking);
    }

    [Theory]
    [InlineData(Operation + "|description", "\"Other words.\"")]
    [InlineData("components|schemas|Job|properties|status|description", "\"Other words.\"")]
    [InlineData(Operation + "|responses|200|content|application/json|examples", "{}")]
    public void Changed_descriptions_and_examples_are_not_reported(string place, string value)
    {
        Set(place, value);

        Assert.Empty(ContractChanges.Between(_old, _new));
    }

    private void Set(string place, string? value)
    {
        var parent = At(place[..place.LastIndexOf('|')]).AsObject();
        var name = place[(place.LastIndexOf('|') + 1)..];
        if (value is null) Assert.True(parent.Remove(name), $"There is no {place}");
        else parent[name] = JsonNode.Parse(value);
    }

    private JsonNode At(string place) =>
        place.Split('|')
            .Aggregate(_new, (node, step) => node[step]
            ?? throw new ArgumentException($"There is no {step} in {place}"));

    private static JsonNode Read(string file) => JsonNode.Parse(File.ReadAllText(PathOf(file)))!;

    private static string PathOf(string file) => Path.Combine(Repository.Root, "docs", file);
}
