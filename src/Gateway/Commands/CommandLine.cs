using System.CommandLine;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace Gateway.Commands;

/// <summary>
/// The command line of the executable. Without a command, it runs the gateway and reads configuration from arguments.
/// </summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] args)
    {
        if (IsServe(args)) return await ServeAsync(args);

        var root = new RootCommand("""
            A caching gateway for processing jobs. Without a command, it runs the gateway. Configuration comes from
            appsettings.json, environment variables (Upstream__BaseAddress) and arguments (--Upstream:BaseAddress=...).
            """)
        {
            DemoCommand.Create(),
            KeysCommand.Create(),
            HealthCommand.Create(),
            ContractCommand.Create(),
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

    /// <summary>Starts an application and waits for its end. If it cannot start, prints one clear message.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(Func<WebApplication> build, Action<WebApplication>? started = null)
    {
        try
        {
            await using var app = build();
            await app.StartAsync();
            started?.Invoke(app);
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (OptionsValidationException e)
        {
            await Console.Error.WriteLineAsync("The configuration is wrong:");
            foreach (var line in e.Failures) await Console.Error.WriteLineAsync($"  {line}");
            return 1;
        }
        catch (Exception e) when (e is IOException or InvalidDataException
            or UnauthorizedAccessException or SocketException or FormatException or InvalidOperationException)
        {
            // The messages of these exceptions name the cause: the address of a used port, the file of an unreadable
            // secret, or a malformed address.
            await Console.Error.WriteLineAsync(
                e is InvalidDataException ? $"{e.Message} {e.GetBaseException().Message}" : e.Message);
            return 1;
        }
    }

    private static Task<int> ServeAsync(string[] args) => RunAsync(() => Program.Build(args));

    private static bool IsServe(string[] args) => args.Length == 0
        || (args[0].StartsWith("--", StringComparison.Ordinal) && args[0] is not ("--help" or "--version"));
}
