using Microsoft.Extensions.Logging.Console;

namespace Gateway.Telemetry;

/// <summary>
/// Writes the reasons why the gateway cannot start, in the format of its log lines, at any log level.
/// </summary>
internal static partial class StartLog
{
    private const string Category = "Gateway.Program";

    private static readonly Dictionary<string, string?> Format = new()
    {
        ["Console:FormatterName"] = ConsoleFormatterNames.Json,
        ["Console:FormatterOptions:UseUtcTimestamp"] = "true",
        ["Console:FormatterOptions:TimestampFormat"] = "yyyy-MM-ddTHH:mm:ss.fffZ",
    };

    /// <param name="configuration">The configuration, which may be wrong or incomplete.</param>
    /// <param name="reasons">A line for each reason.</param>
    public static void Write(IConfiguration configuration, IEnumerable<string> reasons)
    {
        var configured = configuration.GetSection("Logging").AsEnumerable(makePathsRelative: true)
            .Where(setting => setting.Value is not null
                && setting.Key.StartsWith("Console:Formatter", StringComparison.OrdinalIgnoreCase));
        try
        {
            Write(configured, reasons);
        }
        catch (InvalidOperationException)
        {
            // The configured format is one of the errors.
            Write([], reasons);
        }
    }

    private static void Write(IEnumerable<KeyValuePair<string, string?>> format, IEnumerable<string> reasons)
    {
        var logging = new ConfigurationBuilder().AddInMemoryCollection(Format).AddInMemoryCollection(format).Build();
        var services = new ServiceCollection();
        services.AddSingleton(TimeProvider.System);
        services.AddLogging(builder => builder.AddConfiguration(logging).AddConsole());
        services.AddOutput(logging.GetSection("Console"));
        // Disposing writes the lines that wait.
        using var provider = services.BuildServiceProvider();
        var logger = provider.GetRequiredService<ILoggerFactory>().CreateLogger(Category);
        foreach (var reason in reasons) Log.CannotStart(logger, reason);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Critical, "The gateway cannot start: {Reason}")]
        public static partial void CannotStart(ILogger logger, string reason);
    }
}
