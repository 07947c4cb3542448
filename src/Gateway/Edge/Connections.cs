using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace Gateway.Edge;

/// <summary>
/// Bounds the connections at once (<c>Server:MaxConnections</c>), so that the process does not run out of file handles,
/// which it needs for the upstream, for Redis and for itself. A connection beyond the limit is closed at once, before
/// TLS. One line a minute says so, and <c>gateway.connections.refused</c> counts them.
/// </summary>
internal sealed partial class Connections
{
    // The runtime keeps each assembly open, some 300 in all; and there are connections to the upstream and to Redis.
    private const int LeastForOthers = 400;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

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
        _limit = limit > 0 ? limit : LimitFor(HandleLimit());
        meters.CreateGateway().CreateObservableCounter("gateway.connections.refused", () => Interlocked.Read(ref _refused),
            "{connection}", "Connections that were closed, because there were as many as may be");
    }

    /// <summary>
    /// The most connections for a process that may have this many files open: a quarter, and 400 at least, is for all
    /// else.
    /// </summary>
    /// <param name="handles">Null: there is no limit, or none is known.</param>
    public static int LimitFor(long? handles) => handles is not { } most ? int.MaxValue
        : (int)Math.Clamp(most - Math.Max(most / 4, LeastForOthers), 16, int.MaxValue);

    /// <summary>The same for a connection, before anything is read from it.</summary>
    public ConnectionDelegate Bound(ConnectionDelegate next) => connection =>
        // Operators come in also when there is no room.
        _managementPort != 0 && connection.LocalEndPoint is IPEndPoint { Port: var port } && port == _managementPort
            ? next(connection) : CountAsync(connection, next);

    private async Task CountAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var place = new Place(this);
        if (place.IsFree) await next(connection);
        else Refuse(connection);
    }

    private void Refuse(ConnectionContext connection)
    {
        Interlocked.Increment(ref _refused);
        connection.Abort(new ConnectionAbortedException("There are as many connections as may be."));
        var (now, last) = (_clock.GetTimestamp(), Interlocked.Read(ref _lastLine));
        if (last != 0 && _clock.GetElapsedTime(last, now) < BetweenLines) return;
        if (Interlocked.CompareExchange(ref _lastLine, now, last) == last) Log.Full(_logger, _limit);
    }

    // The runtime raises the soft limit to the hard one when it starts.
    private static long? HandleLimit()
    {
        const string Limits = "/proc/self/limits", Name = "Max open files";
        if (!File.Exists(Limits)) return null;
        var line = File.ReadLines(Limits).FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal)) ?? "";
        var numbers = line[Math.Min(Name.Length, line.Length)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var soft = numbers.FirstOrDefault();
        return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
    }

    /// <summary>
    /// The place of one connection. The server may forget a connection that it gave up; then its place is free, too.
    /// </summary>
    private sealed class Place(Connections owner) : IDisposable
    {
        public bool IsFree { get; } = Interlocked.Increment(ref owner._open) <= owner._limit;

        public void Dispose()
        {
            GC.SuppressFinalize(this);
            Interlocked.Decrement(ref owner._open);
        }

        ~Place() => Interlocked.Decrement(ref owner._open);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "There are {Limit} connections, as many as Server:MaxConnections lets in, and further ones are closed; "
            + "gateway.connections.refused counts them")]
        public static partial void Full(ILogger logger, int limit);
    }
}
