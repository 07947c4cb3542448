using Gateway.Callers;
using Gateway.Commands;
using Gateway.Configuration;
using Gateway.Contract;
using Gateway.Drift;
using Gateway.Edge;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Operations;
using Gateway.Redis;
using Gateway.Routes;
using Gateway.Upstream;
using Microsoft.Extensions.Logging.Console;

namespace Gateway;

internal sealed class Program
{
    public static Task<int> Main(string[] args)
    {
        ServerThreads.AnswerWhereItArrives();
        return CommandLine.RunAsync(args);
    }

    /// <summary>The gateway, ready to run.</summary>
    /// <param name="args">Configuration, as <c>--Section:Key=value</c>.</param>
    /// <param name="overrides">Configuration that outranks any other; for commands.</param>
    /// <exception cref="WrongConfigurationException">The configuration is wrong.</exception>
    public static WebApplication Build(string[] args, Dictionary<string, string?>? overrides = null)
    {
        // Configuration is found beside the executable, wherever it is started from. Slim: without IIS, HTTP/3 and event logs.
        var builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.AddKeyPerFile("/run/secrets", optional: true, reloadOnChange: true);
        builder.Configuration.AddInMemoryCollection(overrides ?? []);
        // It would make the framework believe every proxy; here they are named.
        builder.Configuration["FORWARDEDHEADERS_ENABLED"] = "false";
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(ServerBounds.Set);
        builder.WebHost.UseSockets(ServerThreads.Set);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Use(ThreadShare.BoundReads)));
        // Its lines hold addresses, and so the codes of logins; and for their sake every request would be given a trace.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // A slim builder would have lines of its own form, whatever the configuration says.
        builder.Services.Configure<ConsoleLoggerOptions>(builder.Configuration.GetSection("Logging:Console"));

        var services = builder.Services;
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<SteadyClock>();
        services.AddSingleton<LiveConfiguration>();
        services.AddRedis();
        services.AddCallers();
        services.AddEdge();
        services.AddLimits();
        services.AddJobs();
        services.AddUpstream();
        services.AddRoutes();
        services.AddSingleton<OperatorGate>();
        services.AddSingleton<PurgeEndpoint>();
        services.AddSingleton<RequestPath>();
        services.AddContract();
        services.AddDrift();
        services.AddHealth();
        services.AddTelemetry();

        var app = builder.Build();
        RequestPath.Map(app);
        return app;
    }
}
