using System.Diagnostics.Metrics;
using System.Net;
using Gateway.Runtime;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace Gateway.Edge;

/// <summary>
/// Limits the number of open connections (<c>Server:MaxConnections</c>), so that the process keeps file handles for the
/// upstream, for Redis and for itself. A connection above the limit is closed at once, before TLS. At most one log line
/// a minute reports this, and <c>gateway.connections.refused</c> counts the connections.
/// </summary>
internal sealed partial class Connections
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly int _limit, _managementPort;
    private readonly TimeProvider _clock;
    private readonly ILogger<Connections> _logger;
    private int _open;
    private long _refused, _lastLine;

    public Connections(
        IOptionsMonitor<ServerOptions> server, IOptionsMonitor<ManagementOptions> management, IMeterFactory meters,
        TimeProvider clock, ILogger<Connections> logger)
    {
        (_clock, _logger) = (clock, logger);
        _managementPort = management.CurrentValue.Port;
        var limit = server.CurrentValue.MaxConnections;
        _limit = limit > 0 ? limit : LimitFor(OpenFiles.Limit());
        meters.CreateGateway().CreateObservableCounter(
            "gateway.connections.refused", () => Interlocked.Read(ref _refused), "{connection}",
            "Connections that were closed because the limit was reached");
    }

    /// <summary>
    /// Returns the limit for a process that may open this many files. A quarter of them, and at least 400, are reserved
    /// for other uses.
    /// </summary>
    /// <param name="handles">The limit of open files; null if there is none or it is unknown.</param>
    public static int LimitFor(long? handles) => handles is not { } most ? int.MaxValue
        : (int)Math.Clamp(most - Math.Max(most / 4, OpenFiles.Reserved), 16, int.MaxValue);

    /// <summary>Middleware that applies the limit to a connection before anything is read from it.</summary>
    public ConnectionDelegate Bound(ConnectionDelegate next) => connection =>
        // The management port is not limited.
        _managementPort != 0 && connection.LocalEndPoint is IPEndPoint { Port: var port } && port == _managementPort
            ? next(connection) : CountAsync(connection, next);

    private async Task CountAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var slot = new Slot(this);
        if (slot.IsFree) await next(connection);
        else Refuse(connection);
    }

    private void Refuse(ConnectionContext connection)
    {
        Interlocked.Increment(ref _refused);
        connection.Abort(new ConnectionAbortedException("The limit of connections is reached."));
        var (now, last) = (_clock.GetTimestamp(), Interlocked.Read(ref _lastLine));
        if (last != 0 && _clock.GetElapsedTime(last, now) < LogInterval) return;
        if (Interlocked.CompareExchange(ref _lastLine, now, last) == last) Log.Full(_logger, _limit);
    }

    /// <summary>
    /// The slot of one connection. The server may abandon a connection without ending it; the finalizer then frees the
    /// slot.
    /// </summary>
    private sealed class Slot(Connections owner) : IDisposable
    {
        public bool IsFree { get; } = Interlocked.Increment(ref owner._open) <= owner._limit;

        public void Dispose()
        {
            GC.SuppressFinalize(this);
            Interlocked.Decrement(ref owner._open);
        }

        ~Slot() => Interlocked.Decrement(ref owner._open);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "The limit of {Limit} connections is reached (Server:MaxConnections), and further connections are closed; "
            + "gateway.connections.refused counts them")]
        public static partial void Full(ILogger logger, int limit);
    }
}
