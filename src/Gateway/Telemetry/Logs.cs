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
        // A slim builder ignores the configured format of lines.
        services.Configure<ConsoleLoggerOptions>(builder.Configuration.GetSection("Logging:Console"));
        services.Remove(services.Single(service => service.ImplementationType == typeof(ConsoleLoggerProvider)));
        services.AddSingleton<ILoggerProvider, LogOutput>();
        services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(provider => new BoundedLogs(
            new LoggerFactory(
                provider.GetServices<ILoggerProvider>(),
                provider.GetRequiredService<IOptionsMonitor<LoggerFilterOptions>>(),
                provider.GetService<IOptions<LoggerFactoryOptions>>()),
            provider.GetRequiredService<TimeProvider>(), boundedAlready)));
    }

    /// <summary>Counts the dropped lines in a metric.</summary>
    public static void ObserveLogs(this WebApplication app)
    {
        var outputs = app.Services.GetServices<ILoggerProvider>().OfType<LogOutput>().ToArray();
        app.Services.GetRequiredService<IMeterFactory>().CreateGateway().CreateObservableCounter(
            "gateway.log.dropped", () => outputs.Sum(output => output.Dropped), "{line}",
            "Log lines that were dropped because standard output was not read fast enough");
    }
}
