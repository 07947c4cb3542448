using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.WatchingBench;

/// <summary>Many connections that each send one request, and count a text in what they receive.</summary>
/// <param name="request">The request of each connection.</param>
/// <param name="marker">The text to count: each event has it once.</param>
internal sealed class Readers(int port, string request, string marker) : IDisposable
{
    private readonly List<Socket> _sockets = [];
    private readonly byte[] _request = Encoding.ASCII.GetBytes(request), _marker = Encoding.ASCII.GetBytes(marker);
    private long _events, _lastAt;
    private int _closed;

    /// <summary>The events that all connections have received.</summary>
    public long Events => Interlocked.Read(ref _events);

    /// <summary>When the last event came, as a timestamp.</summary>
    public long LastAt => Interlocked.Read(ref _lastAt);

    public int Closed => _closed;

    public async Task OpenAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 32768 };
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(_request);
            _sockets.Add(socket);
            _ = ReadAsync(socket);
            if (i % 200 == 199) await Task.Delay(20);
        }
    }

    /// <summary>Sends the request again on each connection, in even intervals.</summary>
    public async Task PollAsync(TimeSpan interval, TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        const int Slices = 100;
        for (var slice = 0; Stopwatch.GetElapsedTime(started) < time; slice++)
        {
            for (var i = slice % Slices; i < _sockets.Count; i += Slices) await _sockets[i].SendAsync(_request);
            var due = interval / Slices * (slice + 1) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.Zero) await Task.Delay(due);
        }
    }

    public void Dispose()
    {
        foreach (var socket in _sockets) socket.Dispose();
    }

    private async Task ReadAsync(Socket socket)
    {
        var buffer = new byte[16 * 1024];
        var matched = 0;
        try
        {
            while (await socket.ReceiveAsync(buffer) is > 0 and var count)
            {
                var found = 0;
                foreach (var one in buffer.AsSpan(0, count))
                {
                    matched = one == _marker[matched] ? matched + 1 : one == _marker[0] ? 1 : 0;
                    if (matched < _marker.Length) continue;
                    (matched, found) = (0, found + 1);
                }
                if (found == 0) continue;
                Interlocked.Add(ref _events, found);
                Interlocked.Exchange(ref _lastAt, Stopwatch.GetTimestamp());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection was closed.
        }
        Interlocked.Increment(ref _closed);
    }
}
