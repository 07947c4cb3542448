using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.KeyTiming;

/// <summary>Measures the time to a 401 over a kept-alive connection, in microseconds per request.</summary>
internal sealed class OverSocket(params Group<Connection>[] groups) : Place<Connection>(groups)
{
    protected override double Time(Group<Connection> group, KeyClass keys) =>
        group.Subject.Time(Pick(keys)).TotalMicroseconds;
}

/// <summary>One connection to a server on loopback. A client library would add noise.</summary>
internal sealed class Connection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
    {
        NoDelay = true,
        ReceiveTimeout = 10_000,
    };
    private readonly byte[] _request = new byte[32 * 1024];
    private readonly byte[] _answer = new byte[16 * 1024];

    public Connection(string url) => _socket.Connect(IPAddress.Loopback, new Uri(url).Port);

    public void Dispose() => _socket.Dispose();

    public TimeSpan Time(string key)
    {
        var length = Encoding.ASCII.GetBytes(
            $"GET /v0/workflows/timing/jobs/timing HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n", _request);
        int read = 0, received;

        var started = Stopwatch.GetTimestamp();
        _socket.Send(_request.AsSpan(0, length));
        do
        {
            received = _socket.Receive(_answer.AsSpan(read));
            read += received;
        }
        while (received > 0 && !_answer.AsSpan(0, read).EndsWith("\r\n0\r\n\r\n"u8));
        var took = Stopwatch.GetElapsedTime(started);

        return _answer.AsSpan(0, read).StartsWith("HTTP/1.1 401 "u8) ? took
            : throw new InvalidOperationException(
                $"A wrong key was answered {Encoding.ASCII.GetString(_answer, 0, read)}");
    }
}
