using System.Runtime.InteropServices;
using Gateway.Runtime;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Options;

namespace Gateway.Edge;

/// <summary>
/// Stops the node on SIGTERM, SIGINT or SIGQUIT, after <see cref="ServerOptions.DrainDelay"/>. During the delay, the
/// node is not ready, and ends each connection after its next answer. A second signal stops the node at once. SIGHUP
/// does not stop the node, because it is a common way to ask a server to read its configuration.
/// </summary>
internal sealed partial class StopSignals(
    Drain drain, IHostApplicationLifetime lifetime, IOptionsMonitor<ServerOptions> options, TimeProvider clock,
    ILogger<StopSignals> logger) : IHostLifetime, IDisposable
{
    private readonly List<IDisposable> _registrations = [];
    private ITimer? _delay;
    private int _signals;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        foreach (var signal in new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT })
            _registrations.Add(PosixSignalRegistration.Create(signal, Stop));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, hangUp =>
        {
            hangUp.Cancel = true;
            Log.HangUp(logger);
        }));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _delay?.Dispose();
    }

    private void Stop(PosixSignalContext signal)
    {
        // The process ends when the host has stopped, and not now.
        signal.Cancel = true;
        var delay = options.CurrentValue.DrainDelay;
        if (Interlocked.Increment(ref _signals) > 1 || delay == TimeSpan.Zero)
        {
            lifetime.StopApplication();
            return;
        }
        drain.Begin();
        Log.Draining(logger, delay.TotalSeconds);
        _delay = clock.CreateTimer(_ => lifetime.StopApplication(), null, delay, Timeout.InfiniteTimeSpan);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information,
            "The node will stop in {Seconds} s. Until then, it is not ready, and ends connections after an answer")]
        public static partial void Draining(ILogger logger, double seconds);

        [LoggerMessage(LogLevel.Information,
            "SIGHUP has no effect: the node reads its configuration by itself when it changes")]
        public static partial void HangUp(ILogger logger);
    }
}

/// <summary>Registers how a node stops.</summary>
internal static class Stopping
{
    public static void AddStopSignals(this IServiceCollection services)
    {
        services.AddSingleton<Drain>();
        services.AddSingleton<IHostLifetime, StopSignals>();
    }

    /// <summary>
    /// While the node drains, ends each connection after its next answer: HTTP/1.1 by <c>Connection: close</c>
    /// (RFC 9112, section 9.6), HTTP/2 by a GOAWAY frame (RFC 9113, section 6.8).
    /// </summary>
    public static void UseDrain(this WebApplication app)
    {
        var drain = app.Services.GetRequiredService<Drain>();
        app.Use((http, next) =>
        {
            if (drain.IsUnderWay) http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
            return next(http);
        });
    }
}
