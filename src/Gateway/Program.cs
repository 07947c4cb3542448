using Gateway.Admin;
using Gateway.Caching;
using Gateway.Callers;
using Gateway.Commands;
using Gateway.Configuration;
using Gateway.Contract;
using Gateway.Drift;
using Gateway.Edge;
using Gateway.Limits;
using Gateway.Redis;
using Gateway.Routes;
using Gateway.Runtime;
using Gateway.Telemetry;
using Gateway.Upstream;
using Gateway.Usage;
using Gateway.Watching;
using Microsoft.Extensions.Options;

namespace Gateway;

internal sealed class Program
{
    public static Task<int> Main(string[] args)
    {
        if (CommandLine.IsServe(args) && !OpenFiles.AreEnough()) return Task.FromResult(1);
        FileEvents.TurnOff();
        ServerThreads.AnswerWhereItArrives();
        return CommandLine.RunAsync(args);
    }

    /// <summary>Builds the application.</summary>
    /// <param name="args">Configuration, as <c>--Section:Key=value</c>.</param>
    /// <param name="overrides">Configuration with the highest precedence, for commands.</param>
    /// <exception cref="OptionsValidationException">The configuration is wrong.</exception>
    public static WebApplication Build(string[] args, Dictionary<string, string?>? overrides = null)
    {
        var builder = ConfigurationSources.CreateBuilder(args, overrides ?? []);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseSockets(ServerThreads.Set);
        // These categories bound their lines themselves.
        builder.AddLogs(typeof(RequestPath).FullName!, typeof(DriftWatch).FullName!, Audit.Category);

        var services = builder.Services;
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<SteadyClock>();
        services.AddLiveConfiguration<GatewayOptions>();
        GatewayOptions.AddParts(services);
        services.AddStopSignals();
        services.AddServerBounds();
        services.AddAllowedHosts();
        services.AddRedis();
        services.AddCallers();
        services.AddEdge();
        services.AddLimits();
        services.AddCaching();
        services.AddWatching();
        services.AddUpstream();
        services.AddRoutes();
        services.AddAdmin();
        services.AddUsage();
        services.AddSingleton(GatewayProblems.Catalog);
        services.AddSingleton<RequestMetrics>();
        services.AddSingleton<RefusalLog>();
        services.AddSingleton<RequestPath>();
        services.AddContract();
        services.AddDrift();
        services.AddHealth();
        services.AddTelemetry();

        var app = builder.Build();
        app.ObserveLogs();
        app.ObserveBuild();
        RequestPath.Map(app);
        return app;
    }
}
