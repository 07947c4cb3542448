using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Load;

/// <summary>One kept-alive HTTP/1.1 connection with one request at a time: a minimal client for load.</summary>
internal sealed class Connection : IDisposable
{
    private const int InChunks = -1;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
    {
        NoDelay = true,
    };
    private readonly byte[] _buffer = new byte[16 * 1024];

    private Connection()
    {
    }

    public static async Task<Connection> OpenAsync(Peer peer, CancellationToken stop)
    {
        var connection = new Connection();
        await connection._socket.ConnectAsync(IPAddress.Loopback, peer.Address.Port, stop);
        return connection;
    }

    public static Connection Open(Peer peer)
    {
        var connection = new Connection();
        connection._socket.Connect(IPAddress.Loopback, peer.Address.Port);
        return connection;
    }

    public static byte[] Request(Peer peer, string path) =>
        Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: {peer.Address.Authority}\r\nX-Api-Key: {peer.Key}\r\n\r\n");

    public void Send(byte[] request) => _socket.Send(request);

    /// <summary>Waits for the complete answer.</summary>
    /// <returns>The status, or 0 if the connection was closed.</returns>
    public async ValueTask<int> ReceiveAsync(CancellationToken stop)
    {
        var (got, status, whole) = (0, 0, int.MaxValue);
        while (whole == InChunks || got < whole)
        {
            var more = await _socket.ReceiveAsync(_buffer.AsMemory(status == 0 ? got : 0), SocketFlags.None, stop);
            if (more == 0) return 0;
            got += more;
            if (status == 0) (status, whole) = Head(_buffer.AsSpan(0, got));
            // Chunked answers are small, and arrive completely or not yet.
            if (whole == InChunks && _buffer.AsSpan(0, got).EndsWith("\r\n0\r\n\r\n"u8)) return status;
            if (whole == InChunks) (status, whole) = (0, int.MaxValue);
        }
        return status;
    }

    public void Dispose() => _socket.Dispose();

    // The status and the total length of head and body, once the head has arrived. All expected answers state their
    // length.
    private static (int Status, int Whole) Head(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0) return (0, int.MaxValue);
        var head = Encoding.ASCII.GetString(bytes[..end]);
        var field = head.IndexOf("\r\nContent-Length:", StringComparison.OrdinalIgnoreCase);
        if (field < 0 && head.Contains("\r\nTransfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase))
            return (int.Parse(head.AsSpan("HTTP/1.1 ".Length, 3), CultureInfo.InvariantCulture), InChunks);
        if (field < 0) throw new InvalidOperationException($"An answer does not state its length: {head}");
        var value = head[(field + 2)..].Split("\r\n")[0].Split(':')[1];
        return (int.Parse(head.AsSpan("HTTP/1.1 ".Length, 3), CultureInfo.InvariantCulture),
            end + 4 + int.Parse(value, CultureInfo.InvariantCulture));
    }
}
