using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A TCP proxy to Redis or another server that can be made slow or unavailable, for old and new connections.
/// </summary>
internal sealed class RedisProxy : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Socket, bool> _sockets = new();
    private readonly ConcurrentDictionary<Socket, bool> _forgotten = new();
    private TcpListener? _listener;
    private long _sent;
    private volatile bool _isSilent;
    private volatile bool _isSlow;

    public RedisProxy(int target)
    {
        Target = target;
        Listen();
    }

    public int Port { get; } = ChildProcess.FreePort();

    /// <summary>The port of the server that new connections lead to.</summary>
    public int Target { get; set; }

    public string ConnectionString => $"127.0.0.1:{Port}";

    /// <summary>Cuts all connections, and refuses new ones.</summary>
    public void Cut()
    {
        _listener?.Stop();
        _listener = null;
        foreach (var socket in _sockets.Keys) Close(socket);
    }

    /// <summary>Accepts connections, and holds back all replies until <see cref="GetWell"/> is called.</summary>
    public void FallSilent() => _isSilent = true;

    /// <summary>Stops replies on the existing connections. New connections work.</summary>
    public void ForgetConnections()
    {
        foreach (var socket in _sockets.Keys) _forgotten[socket] = true;
    }

    /// <summary>The approximate throughput limit, or null for none.</summary>
    public int? BytesPerSecond { get; init; }

    /// <summary>The delay of replies while the proxy is slow.</summary>
    public TimeSpan Slowness { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Delays every reply.</summary>
    public void SlowDown() => _isSlow = true;

    public void GetWell()
    {
        _isSilent = _isSlow = false;
        if (_listener is null) Listen();
    }

    /// <summary>Cuts the connections and restores them, for a second each. The proxy works at the end.</summary>
    public async Task FlapAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            Cut();
            await Task.Delay(TimeSpan.FromSeconds(1));
            GetWell();
            if (i < times - 1) await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    public ValueTask DisposeAsync()
    {
        Cut();
        _isSilent = false;
        _forgotten.Clear();
        return ValueTask.CompletedTask;
    }

    private void Listen()
    {
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _ = AcceptAsync(_listener);
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptSocketAsync(), listener);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The listener was stopped.
        }
    }

    private async Task ServeAsync(Socket near, TcpListener listener)
    {
        var far = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        near.NoDelay = true;
        _sockets[near] = _sockets[far] = true;
        // Cut may have been called since the connection was accepted.
        if (_listener != listener) Close(near);
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, Target);
            await Task.WhenAny(AskAsync(near, far), AnswerAsync(far, near));
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The target does not accept connections.
        }
        Close(near);
        Close(far);
        _sockets.TryRemove(near, out _);
        _sockets.TryRemove(far, out _);
    }

    private static async Task AskAsync(Socket near, Socket far)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await near.ReceiveAsync(buffer) is > 0 and var count)
                await SendAsync(far, buffer.AsMemory(0, count));
        }
        catch (Exception e) when (IsEnd(e))
        {
            // One of the two sockets was closed.
        }
    }

    private async Task AnswerAsync(Socket far, Socket near)
    {
        // Each reply is delayed on its own; replies do not wait for each other.
        var replies = Channel.CreateUnbounded<(byte[] Bytes, long Came)>();
        var sending = SendRepliesAsync(replies.Reader, near);
        var buffer = new byte[64 * 1024];
        try
        {
            while (await far.ReceiveAsync(buffer) is > 0 and var count)
            {
                await replies.Writer.WriteAsync((buffer[..count], Stopwatch.GetTimestamp()));
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            // One of the two sockets was closed.
        }
        replies.Writer.Complete();
        await sending;
    }

    private async Task SendRepliesAsync(ChannelReader<(byte[] Bytes, long Came)> replies, Socket near)
    {
        try
        {
            await foreach (var (bytes, came) in replies.ReadAllAsync())
            {
                while (_isSilent || _forgotten.ContainsKey(near)
                    || (_isSlow && Stopwatch.GetElapsedTime(came) < Slowness)) await Task.Delay(5);
                await SendAsync(near, bytes);
                _sent += bytes.Length;
                if (BytesPerSecond is { } rate && (_sent >> 20) > (_sent - bytes.Length >> 20))
                    await Task.Delay((1 << 20) * 1000 / rate);
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The socket was closed.
        }
    }

    private static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await to.SendAsync(bytes)..];
    }

    private static void Close(Socket socket)
    {
        // Closes with a reset.
        socket.Close(0);
    }

    private static bool IsEnd(Exception e) => e is SocketException or ObjectDisposedException
        or InvalidOperationException;
}
