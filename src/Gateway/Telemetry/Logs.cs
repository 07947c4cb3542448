using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Gateway.Telemetry;

/// <summary>Logging: where lines go, and how many there can be.</summary>
internal static class Logs
{
    /// <param name="boundedAlready">Categories that bound their lines by themselves.</param>
    public static void AddLogs(this WebApplicationBuilder builder, params string[] boundedAlready)
    {
        // Loads what the text of a line needs while the process has handles: a failure to load an assembly is for ever.
        _ = LoggerMessageHelper.ThreadLocalState.ToString();
        // Its lines hold addresses, and so the codes of logins; and for their sake every request would be given a
        // trace.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        var services = builder.Services;
        // A slim builder would have lines of its own form, whatever the configuration says.
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

    /// <summary>Has the metrics count the lines that were dropped.</summary>
    public static void ObserveLogs(this WebApplication app)
    {
        var outputs = app.Services.GetServices<ILoggerProvider>().OfType<LogOutput>().ToArray();
        app.Services.GetRequiredService<IMeterFactory>().CreateGateway().CreateObservableCounter(
            "gateway.log.dropped", () => outputs.Sum(output => output.Dropped), "{line}",
            "Log lines that were dropped, because standard output was not read fast enough");
    }
}
