using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Gateway.HitCost;

/// <summary>
/// Connects to Kestrel without sockets. Its pipes run continuations inline, so the thread that writes a request runs
/// all of the server's work on it before the write returns.
/// </summary>
/// <param name="memory">The server's memory pool, as for sockets.</param>
internal sealed class MemoryTransport(MemoryPool<byte> memory) : IConnectionListenerFactory, IConnectionListener,
    IMemoryPoolFeature
{
    private readonly Channel<ConnectionContext> _accepted = Channel.CreateUnbounded<ConnectionContext>();

    public EndPoint EndPoint { get; private set; } = new IPEndPoint(IPAddress.Loopback, 0);

    public MemoryPool<byte> MemoryPool => memory;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        EndPoint = endpoint;
        return new(this);
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _accepted.Reader.WaitToReadAsync(cancellationToken) && _accepted.Reader.TryRead(out var connection)
            ? connection : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _accepted.Writer.TryComplete();
        return default;
    }

    public ValueTask DisposeAsync() => default;

    /// <returns>The client's end of the connection.</returns>
    public IDuplexPipe Connect()
    {
        var options = new PipeOptions(
            memory, readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline,
            pauseWriterThreshold: 0, useSynchronizationContext: false);
        var pair = DuplexPipe.CreateConnectionPair(options);
        var connection = new DefaultConnectionContext("measured", pair.Server, pair.Client)
        {
            LocalEndPoint = EndPoint,
            RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 50_000),
        };
        connection.Features.Set<IMemoryPoolFeature>(this);
        _accepted.Writer.TryWrite(connection);
        return pair.Client;
    }

    private sealed class DuplexPipe(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;

        public static (DuplexPipe Server, DuplexPipe Client) CreateConnectionPair(PipeOptions options)
        {
            Pipe requests = new(options), answers = new(options);
            return (new(requests.Reader, answers.Writer), new(answers.Reader, requests.Writer));
        }
    }
}
