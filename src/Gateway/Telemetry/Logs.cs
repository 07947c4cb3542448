using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Gateway.Telemetry;

/// <summary>Registers logging: its output, and its bounds.</summary>
internal static class Logs
{
    /// <param name="boundedAlready">The categories that bound their lines themselves.</param>
    public static void AddLogs(this WebApplicationBuilder builder, params string[] boundedAlready)
    {
        // Load this assembly now: if a load fails later because file handles are used up, it fails for ever.
        _ = LoggerMessageHelper.ThreadLocalState.ToString();
        // The lines of this category contain URLs, and thereby login codes. The category would also create a trace for
        // each request.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        var services = builder.Services;
        // The host logs a failed start with its stack. The command line reports the reason in one line.
        var start = new StartState();
        services.AddSingleton(start);
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host",
            level => start.HasEnded && level >= LogLevel.Warning);
        services.AddOutput(builder.Configuration.GetSection("Logging:Console"));
        services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(provider => new BoundedLogs(
            new LoggerFactory(
                provider.GetServices<ILoggerProvider>(),
                provider.GetRequiredService<IOptionsMonitor<LoggerFilterOptions>>(),
                provider.GetService<IOptions<LoggerFactoryOptions>>()),
            provider.GetRequiredService<TimeProvider>(), boundedAlready)));
    }

    /// <param name="services">Already have the framework's console logger, which is replaced.</param>
    /// <param name="console">The section <c>Logging:Console</c>. A slim builder ignores it.</param>
    public static void AddOutput(this IServiceCollection services, IConfiguration console)
    {
        services.Configure<ConsoleLoggerOptions>(console);
        services.Remove(services.Single(service => service.ImplementationType == typeof(ConsoleLoggerProvider)));
        services.AddSingleton<ILoggerProvider, LogOutput>();
    }

    /// <summary>Counts the dropped lines in a metric, and notes the end of the start.</summary>
    public static void ObserveLogs(this WebApplication app)
    {
        var start = app.Services.GetRequiredService<StartState>();
        app.Lifetime.ApplicationStarted.Register(() => start.HasEnded = true);
        var outputs = app.Services.GetServices<ILoggerProvider>().OfType<LogOutput>().ToArray();
        app.Services.GetRequiredService<IMeterFactory>().CreateGateway().CreateObservableCounter(
            "gateway.log.dropped", () => outputs.Sum(output => output.Dropped), "{line}",
            "Log lines that were dropped because standard output was not read fast enough");
    }

    private sealed class StartState
    {
        private volatile bool _hasEnded;

        public bool HasEnded { get => _hasEnded; set => _hasEnded = value; }
    }
}
