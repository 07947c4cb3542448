using System.Runtime.InteropServices;
using Gateway.SideBySide.Load;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Report;
using Gateway.SideBySide.Scenarios;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide;

internal static class Program
{
    private const int WrongAnswer = 1, NotMeasured = 2, BeyondBound = 4;

    public static async Task<int> Main(string[] args)
    {
        if (args is [Serving.Verb, .. var server])
        {
            await Serving.RunAsync(server);
            return 0;
        }
        if (args is [Hog.Verb, .. var hog])
        {
            Hog.Run(hog);
            return 0;
        }
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Child.KillAll();
        return await Arguments.InvokeAsync(args, RunAsync);
    }

    private static async Task<int> RunAsync(Arguments arguments, CancellationToken cancelled)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            stopping.Cancel();
        });
        try
        {
            await using var bench = await Bench.StartAsync(arguments, stopping.Token);
            var machine = await bench.Machine.DescribeAsync(stopping.Token);
            var tables = new List<Table>();
            foreach (var name in Scenario.Names.Where(name => arguments.Scenarios.Contains(name)))
            {
                tables.AddRange((await Scenario.Create(name, bench).RunAsync()).Where(table => table.Rows.Count > 0));
            }
            var markdown = Markdown.Of(arguments, machine, tables);
            Console.WriteLine(markdown);
            if (arguments.Markdown is { } file) await Markdown.PutIntoAsync(file, markdown);
            if (arguments.Json is { } json) await Figures.WriteAsync(json, arguments, machine, tables);
            if (arguments.Plot is { } plot) Plot.Write(plot, tables);
            var beyond =
                tables.SelectMany(
                    table =>
                        table.Beyond.Select(
                            row => $"{table.Title}: {row.Name} exceeds {table.MostOfReference} times "
                            + $"{table.Reference}.")).ToList();
            foreach (var line in beyond) await Console.Error.WriteLineAsync(line);
            return beyond.Count == 0 ? 0 : BeyondBound;
        }
        catch (WrongAnswerException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return WrongAnswer;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Stopped.");
            return NotMeasured;
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or HttpRequestException)
        {
            await Console.Error.WriteLineAsync(e.ToString());
            return NotMeasured;
        }
    }
}
