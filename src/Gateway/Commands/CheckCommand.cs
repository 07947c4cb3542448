using System.CommandLine;
using Gateway.Configuration;
using Gateway.Outbound;

namespace Gateway.Commands;

/// <summary>
/// <c>check</c>: reads the configuration like the start, and prints all errors, or the warnings and the configuration
/// in force. Secrets are masked.
/// </summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var online = new Option<bool>("--online")
        {
            Description = "Also asks the upstream, Redis and the identity provider",
        };
        var command = new Command("check",
            "Checks the configuration, and prints it with its sources; takes the same arguments as the gateway")
        {
            online,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, cancellation) =>
            RunAsync([.. parsed.UnmatchedTokens], parsed.GetValue(online), Console.Out, Console.Error, cancellation));
        return command;
    }

    /// <param name="args">Configuration, as for a start.</param>
    /// <param name="isOnline">Whether the servers are asked, too.</param>
    /// <param name="output">Receives the warnings, the settings and the checks.</param>
    /// <param name="errors">Receives the errors.</param>
    /// <param name="cancellation">Ends the checks.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        string[] args, bool isOnline, TextWriter output, TextWriter errors, CancellationToken cancellation)
    {
        try
        {
            var configuration = ConfigurationSources.Open(args, []);
            var options = LiveConfiguration<GatewayOptions>.Read(configuration);
            // Building reads what the options name, such as the upstream's document. Nothing is started.
            await using var app = Program.Build(args, CommandLine.Silent);
            foreach (var line in Describe(configuration, options)) output.WriteLine(line);
            return !isOnline || await OnlineCheck.RunAsync(app.Services, output, cancellation) ? 0 : 1;
        }
        catch (Exception e) when (CommandLine.ReasonsOf(e) is { } reasons)
        {
            CommandLine.PrintErrors(reasons, errors);
            return 1;
        }
    }

    /// <returns>The warnings, and then each setting with its source.</returns>
    private static IEnumerable<string> Describe(IConfigurationRoot configuration, GatewayOptions options)
    {
        var warnings = new ConfigurationErrors();
        options.Warn(warnings, TimeProvider.System.GetUtcNow(), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        foreach (var warning in warnings.Lines) yield return $"Warning: {warning}";
        foreach (var (key, value, source) in Settings.Of<GatewayOptions>(configuration))
        {
            yield return $"{key} = {value}  ({source})";
        }
        foreach (var (name, value) in EgressProxy.OfEnvironment.Variables)
        {
            yield return $"{name} = {value}  (environment)";
        }
    }
}
