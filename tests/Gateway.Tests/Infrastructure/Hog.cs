using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A client that sends on one connection without waiting for answers, reads the answers, and connects again when the
/// server closes the connection. Disposing of it ends it.
/// </summary>
internal sealed class Hog : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly Func<Stream> _connect;
    private readonly byte[] _preface;
    private readonly Func<byte[]> _next;
    private readonly TimeSpan _pause;
    private readonly ManualResetEventSlim _isAnswered = new();
    private volatile bool _isOver;
    private volatile Stream? _stream;

    private Hog(Func<Stream> connect, byte[] preface, Func<byte[]> next, TimeSpan pause)
    {
        (_connect, _preface, _next, _pause) = (connect, preface, next, pause);
        new Thread(Run) { IsBackground = true }.Start();
    }

    private Hog(Func<Socket> connect)
    {
        (_connect, _preface, _next) = (() => Stream.Null, [], () => []);
        new Thread(() =>
        {
            while (!_isOver)
            {
                try
                {
                    using var socket = connect();
                    // Closes with a reset: ports in TIME_WAIT would otherwise run out.
                    socket.LingerState = new LingerOption(true, 0);
                }
                catch (SocketException)
                {
                    // The server refuses connections for now.
                }
            }
        })
        { IsBackground = true }.Start();
    }

    /// <param name="preface">The first bytes of each connection.</param>
    /// <param name="next">Returns the bytes to send next, repeatedly.</param>
    /// <param name="pause">The pause before each read.</param>
    public static Hog Start(Uri address, Func<byte[]> next, byte[]? preface = null, TimeSpan pause = default) =>
        new(() => new NetworkStream(Connect(address), ownsSocket: true), preface ?? [], next, pause);

    /// <summary>Starts a client that connects and disconnects repeatedly, and sends nothing.</summary>
    public static Hog StartConnecting(Uri address) => new(() => Connect(address));

    /// <summary>Starts a client that sends over TLS.</summary>
    /// <param name="protocol">The protocol requested in the handshake (ALPN).</param>
    public static Hog StartTls(
        Uri address, Certificate certificate, SslApplicationProtocol protocol, Func<byte[]> next,
        byte[]? preface = null) => new(() =>
    {
        var tls = new SslStream(new NetworkStream(Connect(address), ownsSocket: true));
        tls.AuthenticateAsClient(new SslClientAuthenticationOptions
        {
            TargetHost = address.Host,
            ApplicationProtocols = [protocol],
            RemoteCertificateValidationCallback = (_, shown, _, _) =>
                shown?.GetCertHashString() == certificate.Value.GetCertHashString(),
        });
        return tls;
    }, preface ?? [], next, default);

    /// <summary>Waits until the server has answered something.</summary>
    public void WaitUntilAnswered() =>
        Assert.True(_isAnswered.Wait(Timeout, World.Cancellation), "The server has not answered at all.");

    public void Dispose()
    {
        _isOver = true;
        _stream?.Dispose();
    }

    private static Socket Connect(Uri address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, address.Port);
        return socket;
    }

    private void Run()
    {
        while (!_isOver)
        {
            try
            {
                using var stream = _connect();
                _stream = stream;
                stream.Write(_preface);
                new Thread(() => Read(stream)) { IsBackground = true }.Start();
                while (!_isOver) stream.Write(_next());
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException
                or System.Security.Authentication.AuthenticationException)
            {
                // The server closed the connection, or the hog was disposed of.
            }
        }
    }

    private void Read(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (stream.Read(buffer) > 0)
            {
                _isAnswered.Set();
                if (_pause > TimeSpan.Zero) Thread.Sleep(_pause);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The server closed the connection, or the hog was disposed of.
        }
    }
}
