using System.Globalization;

namespace Gateway.LimitCosts;

internal static class Program
{
    private const int Node = 3, NotMeasured = 2, Blind = 3;

    // Quotas that admit all requests, so that all variants do the same work.
    private const string Ample = "9000000-200000", Fitting = "150000-2500";
    private const double PerSecond = 1500;

    // A quota below the request rate.
    private const string Tight = "6000-600";

    private static readonly string[] Ways = [Server.None, Server.Leased, Server.Asking];
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(2);

    public static async Task<int> Main(string[] args)
    {
        if (args is ["serve", var redis, var address])
        {
            await Server.RunAsync(redis, address);
            return 0;
        }
        if (args.Length > 1 || !int.TryParse(args.FirstOrDefault("9"), CultureInfo.InvariantCulture, out var rounds)
            || rounds is not (>= 5 and <= 1000))
        {
            await Console.Error.WriteLineAsync("The argument is the number of rounds, from 5 to 1000; default 9.");
            return NotMeasured;
        }
        var costs = await CostsAsync(rounds);
        await OvershootAsync();
        return Verdict(costs, rounds);
    }

    private static async Task<Dictionary<string, List<Row>>> CostsAsync(int rounds)
    {
        await using var nodes = await Nodes.StartAsync(1);
        var rows = Ways.ToDictionary(way => way, _ => new List<Row>());
        // Discard the first round, because code is still being compiled.
        for (var round = 0; round <= rounds; round++)
        {
            await Console.Error.WriteAsync($"\rround {round} of {rounds} ");
            foreach (var way in Ways.Skip(round % Ways.Length).Concat(Ways.Take(round % Ways.Length)))
            {
                var fast = await Load.AsFastAsPossibleAsync(nodes.Addresses, $"{way}/{Ample}", Length);
                // After a period without requests, the first one waits for a lease.
                await Load.PacedAsync(nodes.Addresses, $"{way}/{Fitting}", Length / 4, PerSecond);
                var before = await nodes.CommandsAsync();
                var paced = await Load.PacedAsync(nodes.Addresses, $"{way}/{Fitting}", Length, PerSecond);
                var commands = await nodes.CommandsAsync() - before;
                if (fast.Refused + paced.Refused > 0) throw new InvalidOperationException($"{way} refused a request.");
                if (round > 0)
                    rows[way]
                        .Add(
                            new Row(fast.PerSecond, paced.Quantile(0.5), paced.Quantile(0.99),
                                (double)commands / paced.Requests));
            }
        }
        await Console.Error.WriteLineAsync();
        Console.WriteLine(
            $"{"",-8} {"requests/s",11} {"of none",8} {"p50 ms",8} {"p99 ms",8} {"of none",8} {"p99 from",9} {"to",6} "
            + $"{"commands a request",19}");
        foreach (var way in Ways)
        {
            var (mine, none) = (rows[way], rows[Server.None]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{way,-8} {Median(mine, row => row.PerSecond),11:0} {Ratio(mine, none, row => row.PerSecond),8:0.00} "
                + $"{Median(mine, row => row.P50),8:0.00} {Median(mine, row => row.P99),8:0.00} "
                + $"{Ratio(mine, none, row => row.P99),8:0.00} {mine.Min(row => row.P99),9:0.00} "
                + $"{mine.Max(row => row.P99),6:0.00} {Median(mine, row => row.Commands),19:0.0000}"));
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Medians of {rounds} interleaved rounds of {Length.TotalSeconds:0} s; times at {PerSecond:0} requests a "
            + $"second, ratios of each round to none."));
        return rows;
    }

    private static async Task OvershootAsync()
    {
        await using var nodes = await Nodes.StartAsync(Node);
        Console.WriteLine($"\n{"",-8} {"admitted",9} {"allowed",8} {"over",7}");
        foreach (var way in Ways.Skip(1))
        {
            var found = await Load.AsFastAsPossibleAsync(nodes.Addresses, $"{way}/{Tight}", 5 * Length);
            var allowed = 600 + 6000 * found.Time.TotalMinutes;
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture,
                    $"{way,-8} {found.Admitted,9} {allowed,8:0} {found.Admitted / allowed - 1,7:+0.0%;-0.0%}"));
        }
        Console.WriteLine(
            $"{Node} nodes, {5 * Length.TotalSeconds:0} s of more requests than a quota of 6000 a minute with a burst "
            + $"of 600 admits.");
    }

    // Without a difference, each variant is ahead in half of the rounds; a larger deviation occurs by chance once in
    // twenty runs.
    private static int Verdict(Dictionary<string, List<Row>> rows, int rounds)
    {
        var (differs, slower) = IsSlower(rows[Server.Leased], rows[Server.None]);
        // A Redis query per request must be visible, otherwise the machine is too busy for a verdict.
        if (!IsSlower(rows[Server.Asking], rows[Server.None]).Differs)
        {
            Console.WriteLine(
                "\nNot even a Redis query per request is visible in p99, so there is no verdict. Try more rounds on an "
                + "idle machine.");
            return Blind;
        }
        var fewer = Median(rows[Server.Asking], row => row.Commands) / Median(
            rows[Server.Leased], row => Math.Max(row.Commands, 1e-9));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\nLeases: p99 above none in {slower} of {rounds} rounds, which is "
            + $"{(differs ? "a significant difference" : "no significant difference")}; {fewer:0} times fewer "
            + $"commands."));
        return differs || fewer < 5 ? 1 : 0;
    }

    private static (bool Differs, int Slower) IsSlower(List<Row> rows, List<Row> none)
    {
        var slower = rows.Zip(none).Count(pair => pair.First.P99 > pair.Second.P99);
        return (slower > rows.Count / 2 && SignTest(slower, rows.Count) < 0.05, slower);
    }

    private static double SignTest(int larger, int of)
    {
        var extreme = Math.Max(larger, of - larger);
        double sum = 0;
        for (var k = extreme; k <= of; k++)
        {
            double ways = 1;
            for (var i = 0; i < k; i++) ways = ways * (of - i) / (i + 1);
            sum += ways;
        }
        return Math.Min(1, 2 * sum / Math.Pow(2, of));
    }

    private static double Ratio(List<Row> mine, List<Row> none, Func<Row, double> value) =>
        Middle(mine.Zip(none).Select(pair => value(pair.First) / value(pair.Second)));

    private static double Median(List<Row> rows, Func<Row, double> value) => Middle(rows.Select(value));

    private static double Middle(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private sealed record Row(double PerSecond, double P50, double P99, double Commands);
}
