using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Gateway.Problems;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Docs;

/// <summary>Checks that the pages of metrics and problem types list exactly what a node has.</summary>
public sealed partial class ReferencePageTests
{
    [Fact]
    public async Task The_metrics_page_lists_exactly_the_metrics_that_a_node_publishes()
    {
        await using var world = await World.StartAsync(("Routes:workflows:Path", "/v0/workflows/{workflow_id}"));
        var factory = world.Gateway.Services.GetRequiredService<IMeterFactory>();
        var published = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Scope == factory && instrument.Meter.Name == "Gateway")
            {
                published.Add($"{instrument.Name} {instrument.Unit}");
            }
        };

        listener.Start();

        var listed = MetricRow().Matches(Page("metrics")).Select(row => $"{row.Groups["name"]} {row.Groups["unit"]}");
        Assert.Equal(published.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_answers_page_lists_exactly_the_problem_types_with_status_title_and_advice()
    {
        await using var world = await World.StartAsync();
        var types = world.Gateway.Services.GetRequiredService<ProblemCatalog>().All
            .Select(type => $"| `{type.Uri}` | {type.Status} | {type.Title} | {type.Advice} |");

        var listed = Page("answers").Split('\n').Where(line => ProblemRow().IsMatch(line));

        Assert.Equal(types.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    private static string Page(string name) =>
        File.ReadAllText(Path.Combine(Repository.Root, "docs", $"{name}.md")).ReplaceLineEndings("\n");

    [GeneratedRegex(
        @"^\| `(?<name>(gateway|db)\.[a-z._]+)` \| [a-z]+ \| (`(?<unit>[^`]+)`)? ?\|", RegexOptions.Multiline)]
    private static partial Regex MetricRow();

    [GeneratedRegex(@"^\| `(/problems/|https://iana)[^`]+` \| \d")]
    private static partial Regex ProblemRow();
}
