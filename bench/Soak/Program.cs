using System.CommandLine;

namespace Gateway.Soak;

internal static class Program
{
    public static Task<int> Main(string[] args)
    {
        var gateway = Required("--gateway", "Folder of a published gateway");
        var simulator = Required("--simulator", "Folder of a published simulator");
        var faketime = Required("--faketime", "Path of libfaketimeMT.so.1");
        var minutes = new Option<double>("--minutes") { DefaultValueFactory = _ => 30 };
        var markdown = new Option<string?>("--markdown") { Description = "File to write the table to" };
        minutes.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 1 and <= 1440))
            {
                result.AddError("--minutes must be from 1 to 1440");
            }
        });
        var command = new RootCommand("Runs two gateways under mixed load, hogs, clock steps and Redis restarts")
        {
            gateway, simulator, faketime, minutes, markdown,
        };
        command.SetAction((parsed, stop) => RunAsync(
            new Folders(parsed.GetValue(gateway)!, parsed.GetValue(simulator)!, parsed.GetValue(faketime)!),
            TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(markdown), stop));
        return command.Parse(args).InvokeAsync();

        static Option<string> Required(string name, string what) => new(name) { Required = true, Description = what };
    }

    private static async Task<int> RunAsync(Folders folders, TimeSpan length, string? markdown, CancellationToken stop)
    {
        await using var cluster = await Cluster.StartAsync(folders, stop);
        var tally = new Tally();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task[] actors =
        [
            .. cluster.Nodes.SelectMany(node => Callers.Of(node, tally, end.Token)),
            Hogs.RunAsync(cluster, tally, end.Token),
            Disturbances.MoveClocksAsync(cluster, tally, end.Token),
            Disturbances.RestartRedisAsync(cluster, tally, end.Token),
        ];
        var report = await Report.WatchAsync(cluster, tally, length, stop);
        await end.CancelAsync();
        await Task.WhenAll(actors);
        var table = report.Table();
        Console.WriteLine(table);
        if (markdown is not null) await File.WriteAllTextAsync(markdown, table, CancellationToken.None);
        var problems = report.Problems();
        foreach (var problem in problems) Console.WriteLine($"FAILED: {problem}");
        return problems.Count == 0 ? 0 : 1;
    }
}

/// <summary>The folders of the programs of a run.</summary>
internal sealed record Folders(string Gateway, string Simulator, string FaketimeLibrary);
