using System.CommandLine;
using System.CommandLine.Parsing;
using Gateway.SideBySide.Scenarios;
using HogScenario = Gateway.SideBySide.Scenarios.Hogs;

namespace Gateway.SideBySide;

/// <summary>The command line arguments.</summary>
/// <param name="Peers">The peers to measure, or empty for all of a scenario.</param>
/// <param name="Hogs">The kinds of hogs, or empty for all.</param>
/// <param name="Gateway">The folder that the gateway was published to.</param>
/// <param name="Lock">A file to lock during each round, or null.</param>
internal sealed record Arguments(
    string[] Scenarios, string[] Peers, string[] Hogs, int Rounds, int Seconds, string Gateway, string? Lock,
    string? Json, string? Markdown, string? Plot)
{
    /// <summary>The prefix of the name of a gateway that was published elsewhere.</summary>
    public const string OtherGateway = "gateway:";

    /// <summary>The command line that repeats the run.</summary>
    public string Line =>
        $"--rounds {Rounds} --seconds {Seconds} --scenarios "
        + $"{string.Join(',', Scenarios)}{(Peers.Length > 0 ? $" --peers {string.Join(',', Peers)}" : "")}"
        + $"{(Hogs.Length > 0 ? $" --hogs {string.Join(',', Hogs)}" : "")}";

    /// <summary>Parses the arguments and runs with them.</summary>
    public static Task<int> InvokeAsync(string[] args, Func<Arguments, CancellationToken, Task<int>> run)
    {
        var scenarios = new Option<string[]>(
            "--scenarios")
        {
            Description = $"The scenarios, separated by commas: {string.Join(',', Scenario.Names)}",
            CustomParser = List
        };
        var peers = new Option<string[]>("--peers")
        {
            Description =
                $"The peers, separated by commas: {string.Join(',', Lineup.Names)}; "
                + $"{OtherGateway}DIR is another published gateway",
            CustomParser = List,
        };
        var hogs = new Option<string[]>("--hogs")
        {
            Description =
                $"The kinds of hogs in the scenario {HogScenario.Name}, separated by commas: "
                + $"{string.Join(',', HogScenario.KindNames)}",
            CustomParser = List,
        };
        var rounds = new Option<int>("--rounds")
        {
            Description = "Timed runs of each peer",
            DefaultValueFactory = _ => 7,
        };
        var seconds = new Option<int>("--seconds")
        {
            Description = "The duration of each run in seconds",
            DefaultValueFactory = _ => 2,
        };
        var gateway = new Option<string>("--gateway")
        {
            Description = "The folder of a published gateway",
            Required = true,
        };
        var lockFile = new Option<string?>("--lock")
        {
            Description = "A file to lock during each round, as flock(1) does",
        };
        var json = new Option<string?>("--json") { Description = "A file for all figures" };
        var markdown = new Option<string?>("--markdown")
        {
            Description = "A file for the tables; if it has the two markers, the tables replace the text between them",
        };
        var plot = new Option<string?>("--plot") { Description = "A file for the picture, SVG" };
        var command = new RootCommand("Measures the gateway beside its peers") { scenarios, peers, hogs, rounds,
            seconds, gateway, lockFile, json, markdown, plot };
        scenarios.Validators.Add(
            result => Refuse(result, "scenario", result.GetValue(scenarios) ?? [], Scenario.Names.Contains));
        peers.Validators.Add(result => Refuse(result, "peer", result.GetValue(peers) ?? [],
            name => Lineup.Names.Contains(name) || name.StartsWith(OtherGateway, StringComparison.Ordinal)));
        hogs.Validators.Add(result =>
            Refuse(result, "hog", result.GetValue(hogs) ?? [], HogScenario.KindNames.Contains));
        rounds.Validators.Add(result => Bound(result, result.GetValue(rounds), 1000));
        seconds.Validators.Add(result => Bound(result, result.GetValue(seconds), 60));
        command.SetAction((parsed, stop) => run(
            new Arguments(parsed.GetValue(scenarios) is { Length: > 0 } some ? some
                : Scenario.Usual, parsed.GetValue(peers) ?? [], parsed.GetValue(hogs) ?? [],
                parsed.GetValue(rounds), parsed.GetValue(seconds), parsed.GetRequiredValue(gateway),
                parsed.GetValue(lockFile),
                parsed.GetValue(json), parsed.GetValue(markdown), parsed.GetValue(plot)),
            stop));
        return command.Parse(args).InvokeAsync();
    }

    private static void Refuse(OptionResult result, string what, string[] names, Func<string, bool> isKnown)
    {
        foreach (var name in names.Where(name => !isKnown(name))) result.AddError($"There is no {what} '{name}'.");
    }

    private static void Bound(OptionResult result, int value, int most)
    {
        if (value < 1 || value > most) result.AddError($"{result.Option.Name} must be from 1 to {most}.");
    }

    private static string[] List(ArgumentResult result) =>
        [.. result.Tokens.SelectMany(
            token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
}
