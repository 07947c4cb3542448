using System.CommandLine;
using System.Net.Sockets;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;

namespace Gateway.Commands;

/// <summary>
/// The command line of the executable. Without a command, it runs the gateway and reads configuration from arguments.
/// </summary>
internal static class CommandLine
{
    /// <summary>Configuration of a command whose output is not the log.</summary>
    public static Dictionary<string, string?> Silent => new()
    {
        ["Logging:Console:LogLevel:Default"] = "None",
        ["Logging:Console:LogLevel:Gateway"] = "None",
    };

    public static async Task<int> RunAsync(string[] args)
    {
        if (IsServe(args)) return await ServeAsync(args);

        var root = new RootCommand("""
            A caching gateway for processing jobs. Without a command, it runs the gateway. Configuration comes from
            appsettings.json, environment variables (Upstream__BaseAddress), files in /run/secrets, and arguments
            (--Upstream:BaseAddress=...).
            """)
        {
            DemoCommand.Create(),
            KeysCommand.Create(),
            HealthCommand.Create(),
            ContractCommand.Create(),
            CheckCommand.Create(),
        };
        var parsed = root.Parse(args);
        // The host handles the signals of the process.
        var invocation = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        if (parsed.Errors.Count == 0) return await parsed.InvokeAsync(invocation);

        foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync(error.Message);
        await Console.Error.WriteLineAsync();
        await root.Parse("--help").InvokeAsync(new InvocationConfiguration { Output = Console.Error });
        return 2;
    }

    /// <summary>Starts an application and waits for its end.</summary>
    /// <param name="build">Builds the application.</param>
    /// <param name="report">Gets a line for each reason why the application cannot start.</param>
    /// <param name="started">Runs after the start.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        Func<WebApplication> build, Action<IEnumerable<string>> report, Action<WebApplication>? started = null)
    {
        try
        {
            await using var app = build();
            await app.StartAsync();
            started?.Invoke(app);
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (Exception e) when (ReasonsOf(e) is { } reasons)
        {
            report(reasons);
            return 1;
        }
    }

    private static Task<int> ServeAsync(string[] args) => RunAsync(
        () => Program.Build(args), reasons => StartLog.Write(ConfigurationSources.Open(args, []), reasons));

    /// <summary>Prints errors for a person who runs a command.</summary>
    public static void PrintErrors(IEnumerable<string> errors) => PrintErrors(errors, Console.Error);

    public static void PrintErrors(IEnumerable<string> errors, TextWriter output) =>
        output.WriteLine(string.Join('\n', errors));

    /// <returns>
    /// A line for each reason why the gateway cannot start; null: the exception is a defect of the gateway.
    /// </returns>
    public static string[]? ReasonsOf(Exception e) => e switch
    {
        OptionsValidationException wrong => [.. wrong.Failures.Select(LineOf)],
        InvalidDataException => [LineOf($"{e.Message} {e.GetBaseException().Message}")],
        SocketException => [LineOf(
            $"An address in urls, http_ports, https_ports or Kestrel:Endpoints cannot be used: {e.Message}")],
        // The messages of these exceptions name the cause: the address of a used port, the file of an unreadable
        // secret, or a missing certificate.
        IOException or UnauthorizedAccessException or FormatException or InvalidOperationException or ArgumentException
            => [LineOf(e.Message)],
        _ => null,
    };

    private static string LineOf(string text) => string.Join(
        ' ', text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    /// <summary>Whether these arguments run the gateway itself.</summary>
    public static bool IsServe(string[] args) => args.Length == 0
        || (args[0].StartsWith("--", StringComparison.Ordinal) && args[0] is not ("--help" or "--version"));
}
