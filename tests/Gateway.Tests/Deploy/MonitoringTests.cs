using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Deploy;

/// <summary>Checks the rules, alerts and dashboard in <c>deploy/monitoring</c>.</summary>
public sealed partial class MonitoringTests
{
    private const string Folder = "deploy/monitoring/";

    private const string Runbook = "https://git.example.com/gateway/blob/main/docs/runbook.md#";

    // Metrics of Prometheus and of .NET that the rules and the dashboard use.
    private static readonly string[] OtherMetrics =
    [
        "up", "http_server_request_duration_seconds_bucket", "http_server_request_duration_seconds_count",
    ];

    private static readonly JsonNode[] Rules =
        [.. Yaml.Read(Folder + "rules.yaml")["groups"]!.AsArray().SelectMany(group => group!["rules"]!.AsArray())!];

    private static JsonNode[] Alerts => [.. Rules.Where(rule => rule["alert"] is not null)];

    [Fact]
    public async Task Promtool_finds_that_each_alert_fires_on_its_fault_and_is_silent_otherwise()
    {
        foreach (var arguments in (string[][])[["check", "rules", "rules.yaml"], ["test", "rules", "rules.test.yaml"]])
        {
            arguments[2] = Path.Combine(Repository.Root, Folder, arguments[2]);
            var (exit, output) = await Promtool.RunAsync(arguments);
            Assert.True(exit == 0, output);
        }
    }

    [Fact]
    public void Each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent()
    {
        var cases = Yaml.Read(Folder + "rules.test.yaml")["tests"]!.AsArray()
            .SelectMany(test => test!["alert_rule_test"]!.AsArray())
            .Select(test => (Name: $"{test!["alertname"]}", Fires: test["exp_alerts"]!.AsArray().Count > 0));
        var alerts = Alerts.Select(alert => $"{alert["alert"]}");

        Assert.Equal(alerts.SelectMany(name => ((string, bool)[])[(name, false), (name, true)]).Order(), cases.Order());
    }

    [Fact]
    public void Each_alert_names_its_severity_and_its_section_of_the_runbook()
    {
        var headings = Heading().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "runbook.md")))
            .Select(heading => heading.Groups[1].Value).ToArray();

        Assert.Equal(headings.Order(), Alerts.Select(alert => $"{alert["alert"]}").Order());
        Assert.All(Alerts, alert =>
        {
            Assert.Equal(Runbook + $"{alert["alert"]}".ToLowerInvariant(), $"{alert["annotations"]!["runbook_url"]}");
            Assert.Contains($"{alert["labels"]!["severity"]}", (string[])["critical", "warning", "info"]);
        });
    }

    [Fact]
    public void Rules_and_dashboard_use_only_metrics_that_exist()
    {
        var records = Rules.Select(rule => $"{rule["record"]}");
        var existing = DocumentedMetrics().Concat(OtherMetrics).Concat(records).ToHashSet(StringComparer.Ordinal);
        var queries = Rules.Select(rule => $"{rule["expr"]}").Concat(DashboardQueries()).ToArray();

        var unknown = queries.SelectMany(MetricsIn).Except(existing);

        Assert.Empty(unknown);
        Assert.True(queries.Length > 50);
    }

    [Fact]
    public async Task The_dashboard_is_the_output_of_its_script()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("python3"), "This test needs python3, which is not on the PATH.");
        var (exit, output) = await ChildProcess.RunAsync(
            "python3", [Path.Combine(Repository.Root, Folder, "make-dashboard")]);

        Assert.Equal(0, exit);
        var dashboard = File.ReadAllText(Path.Combine(Repository.Root, Folder, "dashboard.json"));
        Assert.Equal(dashboard.TrimEnd(), output.TrimEnd());
    }

    private static IEnumerable<string> DashboardQueries() =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, Folder, "dashboard.json")))!["panels"]!.AsArray()
            .SelectMany(panel => panel!["targets"]?.AsArray() ?? []).Select(target => $"{target!["expr"]}");

    /// <summary>The names in Prometheus of the metrics in <c>docs/metrics.md</c>.</summary>
    private static IEnumerable<string> DocumentedMetrics()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "metrics.md"));
        foreach (var row in MetricRow().Matches(page).Cast<Match>())
        {
            var name = row.Groups["name"].Value.Replace('.', '_') + row.Groups["unit"].Value switch
            {
                "s" => "_seconds",
                "By" => "_bytes",
                ['{', .., '}', '/', 's'] => "_per_second",
                _ => "",
            };
            string[] suffixes = row.Groups["type"].Value switch
            {
                "counter" => ["_total"],
                "histogram" => ["_bucket", "_count", "_sum"],
                _ => [""],
            };
            foreach (var suffix in suffixes) yield return name + suffix;
        }
    }

    private static IEnumerable<string> MetricsIn(string query) =>
        Name().Matches(NoMetrics().Replace(query, " ")).Select(name => name.Value);

    [GeneratedRegex(@"^## (\w+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(
        @"^\| `(?<name>(gateway|db)\.[a-z._]+)` \| (?<type>[a-z]+) \| (`(?<unit>[^`]+)`)? ?\|", RegexOptions.Multiline)]
    private static partial Regex MetricRow();

    // Matchers of tags, lists of tags, durations, functions, operators.
    [GeneratedRegex(
        @"\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)|\boffset \w+"
        + @"|\b\w+(?=\()|(?<!:)\b(or|unless|sum|min|max|count)\b")]
    private static partial Regex NoMetrics();

    [GeneratedRegex("[a-z_][a-z0-9_]*(:[a-z0-9_]+)*")]
    private static partial Regex Name();
}
