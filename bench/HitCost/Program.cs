using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Gateway.HitCost;

internal static class Program
{
    // Exit codes other than 0.
    private const int NotAsRecorded = 1, NotHere = 2, NotMeasured = 3;

    public static async Task<int> Main(string[] args)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            Console.WriteLine("Instructions can be counted only on Linux x64.");
            return NotHere;
        }
        var debuggable = typeof(Gateway.Program).Assembly.GetCustomAttribute<DebuggableAttribute>();
        if (debuggable is { IsJITOptimizerDisabled: true })
        {
            Console.WriteLine("The gateway is a Debug build; build it as Release.");
            return NotMeasured;
        }
        try
        {
            return args switch
            {
                [] => Check(),
                ["where", var kind] when Enum.TryParse<Kind>(kind, ignoreCase: true, out var which) => Where(which),
                ["subject", var name] => await Subject.RunAsync(name),
                _ => NotMeasured,
            };
        }
        catch (NotPermittedException e)
        {
            Console.WriteLine(e.Message);
            return NotHere;
        }
        catch (InvalidOperationException e)
        {
            Console.WriteLine(e.Message);
            return NotMeasured;
        }
    }

    private static int Check()
    {
        var wrong = Checks.Run();
        foreach (var line in wrong) Console.WriteLine(line);
        return wrong.Count == 0 ? 0 : NotAsRecorded;
    }

    private static int Where(Kind kind)
    {
        using var host = new Host(Subject.Gateway);
        var instructions = host.Count(kind);
        foreach (var (place, count) in instructions.ByPlace.OrderByDescending(of => of.Value))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count,7} {place}"));
        }
        return 0;
    }
}
