using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.SideBySide.Load;

/// <summary>
/// A client in its own process that sends on several connections without waiting for answers. It connects again when
/// the server closes the connection.
/// </summary>
internal static class Hog
{
    public const string Verb = "hog", Begun = "begun";

    /// <summary>
    /// The kinds of hogs. Streams are sent by h2load, which opens at most as many as the server allows.
    /// </summary>
    public const string Nothing = "nothing", NotModified = "304", Misses = "misses", WrongKeys = "401", Large = "large",
        SlowLarge = "large-slow",
        EmptyLines = "empty-lines", Streams = "http2-streams", Resets = "http2-resets", Pings = "http2-pings";

    private static long _next;

    /// <param name="args">Kind, port, key, number of connections, entity tag.</param>
    public static void Run(string[] args)
    {
        var (kind, port, key, connections, etag) = (args[0], Number(args[1]), args[2], Number(args[3]), args[4]);
        // Numbers that differ from those of earlier runs.
        _next = Environment.TickCount64 % 1_000_000 * 100_000;
        for (var i = 0; i < connections; i++) new Thread(() => Hold(kind, port, key, etag)).Start();
        Console.WriteLine(Begun);
        Thread.Sleep(Timeout.Infinite);
    }

    private static void Hold(string kind, int port, string key, string etag)
    {
        while (true)
        {
            try
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                if (kind == SlowLarge) socket.ReceiveBufferSize = 64 * 1024;
                socket.Connect(IPAddress.Loopback, port);
                var next = Sending(kind, key, etag);
                if (kind is Resets or Pings) socket.Send(Preface);
                new Thread(() => Read(socket, kind)) { IsBackground = true }.Start();
                while (true) SendAll(socket, next());
            }
            catch (SocketException)
            {
                // The server closed the connection. The pause limits the rate of reconnects if the server refuses.
                Thread.Sleep(1);
            }
        }
    }

    private static void Read(Socket socket, string kind)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (socket.Receive(buffer) > 0)
            {
                if (kind == SlowLarge) Thread.Sleep(2);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The server closed the connection.
        }
    }

    private static Func<byte[]> Sending(string kind, string key, string etag)
    {
        var hit = Jobs.PathOf(Jobs.Workflow, Jobs.Hit);
        var stream = 1;
        return kind switch
        {
            Nothing => Same("/nothing", key),
            NotModified => Same(hit, key, $"If-None-Match: {etag}\r\n"),
            Misses => () => Encoding.ASCII.GetBytes(
                string.Concat(Enumerable.Range(0, 16)
                    .Select(_ => Get(Jobs.PathOf("hogged", Interlocked.Increment(ref _next)), key)))),
            WrongKeys => Same(hit, "gwk_nobody"),
            Large or SlowLarge => Same(Jobs.PathOf(Jobs.LargeWorkflow, Jobs.Hit), key),
            EmptyLines => Always(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("\r\n", 32 * 1024)))),
            Pings => Always([.. Enumerable.Repeat(Frame(6, 0, 0, new byte[8]), 1000).SelectMany(frame => frame)]),
            Resets => () =>
            {
                var frames = new List<byte>();
                for (var i = 0; i < 20; i++, stream += 2)
                {
                    frames.AddRange(Frame(1, 0x5, stream, Headers(hit, key)));
                    frames.AddRange(Frame(3, 0, stream, [0, 0, 0, 8]));
                }
                return [.. frames];
            }
            ,
            _ => throw new ArgumentException($"There is no hog '{kind}'."),
        };
    }

    private static string Get(string path, string key, string also = "") =>
        $"GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {key}\r\n{also}\r\n";

    private static Func<byte[]> Same(string path, string key, string also = "") =>
        Always(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(Get(path, key, also), 200))));

    private static Func<byte[]> Always(byte[] bytes) => () => bytes;

    // RFC 9113, sections 3.4, 6.5 and 6.9: the preface gives the server the largest flow-control window.
    private static byte[] Preface =>
    [
        .. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(4, 0, 0, [0, 4, 0x7f, 0xff, 0xff, 0xff]),
        .. Frame(8, 0, 0, [0x7f, 0, 0, 0]),
    ];

    // Each field is a literal without indexing (RFC 7541, section 6.2.2).
    private static byte[] Headers(string path, string key)
    {
        var block = new List<byte>();
        foreach (var (name, value) in new[] { (":method", "GET"), (":scheme", "http"), (":authority", "gateway"),
            (":path", path), ("x-api-key", key) })
        {
            block.AddRange(
                [0, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)value.Length,
                    .. Encoding.ASCII.GetBytes(value)]);
        }
        return [.. block];
    }

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }

    private static void SendAll(Socket socket, byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;) sent += socket.Send(bytes.AsSpan(sent));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
