using System.Globalization;
using Gateway.Callers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.KeyTiming;

internal static class Program
{
    private const string Naive = "control: naive", SameTwice = "control: same";

    // Exit codes other than 0.
    private const int Difference = 1, Blind = 2, NotMeasured = 3;

    public static async Task<int> Main(string[] args)
    {
        if (args.Length > 1 || !int.TryParse(args.FirstOrDefault("40"), CultureInfo.InvariantCulture, out var seconds)
            || seconds is not (>= 5 and <= 3600))
        {
            await Console.Error.WriteLineAsync("The argument is the duration in seconds, from 5 to 3600; default 40.");
            return NotMeasured;
        }

        var keys = new Families();
        var naiveKeys = new NaiveKeys(keys.Foreign);
        await using var gateway = await Hosts.StartGatewayAsync([.. keys.Own, .. keys.Foreign]);
        await using var naive = await Hosts.StartNaiveAsync(new NaiveKeys(keys.Long));
        using var toGateway = new Connection(gateway.Urls.First());
        using var toNaive = new Connection(naive.Urls.First());
        var callers = gateway.Services.GetRequiredService<Identification>();
        Refusal Ask(HttpContext http) => callers.IdentifyAsync(http).AsTask().Result.Refusal;
        Refusal AskNaive(HttpContext http) =>
            naiveKeys.Has(http.Request.Headers["X-Api-Key"].ToString()) ? Refusal.None : Refusal.Unknown;

        var inProcess = new InProcess(
            new("damaged", keys.Damaged, Ask), new("whole", keys.Whole, Ask),
            new("made elsewhere", keys.MadeElsewhere, Ask),
            new(SameTwice, keys.SameTwice, Ask), new(Naive, keys.MadeElsewhere, AskNaive));
        var overSocket = new OverSocket(
            new("damaged", keys.Damaged, toGateway), new("whole", keys.Whole, toGateway),
            new("made elsewhere", keys.MadeElsewhere, toGateway),
            new(SameTwice, keys.SameTwice, toGateway), new(Naive, keys.LongOnes, toNaive));

        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"Measuring for {seconds} s."));
        var half = TimeSpan.FromSeconds(0.5);
        for (var second = 0; second < seconds; second++)
        {
            // Discard the first part, because code is still being compiled.
            var keep = second >= Math.Max(1, seconds / 5);
            keys.Renew();
            gateway.Admit([.. keys.Own, .. keys.Foreign]);
            naiveKeys.Keys = keys.Foreign;
            inProcess.Measure(half, keep);
            overSocket.Measure(half, keep);
        }

        return Verdict(
            Table.Print("In process, ns for a key", inProcess.Groups),
            Table.Print("Over a socket, us for an answer", overSocket.Groups));
    }

    private static int Verdict(params Pair[][] tables)
    {
        // The controls come first: a verdict on the gateway is meaningless without them.
        if (!tables.All(pairs => Array.Exists(pairs, ShowsTheNaive)))
        {
            Console.WriteLine("The method detects nothing here: even a naive comparison shows no difference.");
            return Blind;
        }
        var differing = tables.SelectMany(pairs => pairs)
            .Where(pair => pair.IsDifference && pair.Family != Naive).ToArray();
        if (Array.Exists(differing, pair => pair.Family == SameTwice))
        {
            Console.WriteLine("The method reports a difference between keys of the same rule, which is false.");
            return Blind;
        }
        Console.WriteLine(differing.Length == 0
            ? "No difference found. The naive comparison shows the difference that a leak would make."
            : $"DIFFERENCE in {string.Join(", ", differing.Select(pair => pair.Family).Distinct())}.");
        return differing.Length == 0 ? 0 : Difference;
    }

    private static bool ShowsTheNaive(Pair pair) =>
        pair is { Family: Naive, One: Families.None, Other: Families.AllButLast, IsDifference: true };
}
