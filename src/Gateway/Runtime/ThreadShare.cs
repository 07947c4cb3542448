using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace Gateway.Runtime;

/// <summary>
/// Bounds how long one connection keeps a thread. A connection goes on on the thread that hears of its socket, and a
/// socket that always has more to read would keep that thread for ever. After <see cref="MostInARow"/> requests or
/// reads of the same connection in a row, the connection therefore goes on on the thread pool, behind what waits there
/// already, and stays there for as long as its client does not wait for answers. The same bound holds on the threads of
/// the pool.
/// </summary>
/// <remarks>
/// The counts belong to the thread, so they need no lock and no allocation. They start again as soon as the thread does
/// something for another connection. A connection that has the thread for itself is moved as well, for a thread cannot
/// know what else it could do: that costs one change of threads in 32 requests.
/// </remarks>
internal static class ThreadShare
{
    /// <summary>Requests, or reads, of one connection in a row on a thread: about a millisecond of work.</summary>
    public const int MostInARow = 32;

    /// <summary>
    /// The same on a thread of the pool, where going on behind others wakes no thread and so costs less.
    /// </summary>
    public const int MostInARowOnPool = 8;

    /// <summary>
    /// Bytes of one read, at first, where a read may hold many requests: some twenty requests of HTTP/2. All of them
    /// are begun before the next read, and a new connection waits behind them.
    /// </summary>
    public const int MostBytes = 256;

    // A client that waits this often in a row for its answers does not pipeline any more.
    private const int EnoughWaits = 8;

    [ThreadStatic]
    private static Count _requests;

    [ThreadStatic]
    private static Count _reads;

    /// <summary>Bounds requests. It must be the first middleware.</summary>
    public static void UseThreadShare(this WebApplication app) => app.Use((http, next) =>
        // The features are the connection itself over HTTP/1.1, and the stream over HTTP/2.
        _requests.IsReachedBy(http.Features) ? ContinueOnPoolAsync(http, next) : next(http));

    /// <summary>
    /// Answers requests for these paths, and what is below them, on the thread pool: they may take long, or wait for a
    /// lock.
    /// </summary>
    public static void UsePoolFor(this IApplicationBuilder app, params PathString[] paths) => app.Use((http, next) =>
        Array.Exists(paths, path => http.Request.Path.StartsWithSegments(path)) ? ContinueOnPoolAsync(http, next) : next(http));

    /// <summary>
    /// Bounds reads, also of what never becomes a request: empty lines between requests, records of TLS, frames of
    /// HTTP/2.
    /// </summary>
    public static ConnectionDelegate BoundReads(ConnectionDelegate next) => connection =>
    {
        connection.Transport = new Transport(connection.Transport);
        return next(connection);
    };

    // A yield, and not ConfigureAwaitOptions.ForceYielding: that one queues on the pool's own thread, which takes it
    // next.
    private static async Task ContinueOnPoolAsync(HttpContext http, RequestDelegate next)
    {
        await Task.Yield();
        await next(http);
    }

    private struct Count
    {
        private object? _of;
        private int _count;

        /// <summary>Counts one more.</summary>
        /// <returns>Whether it is one too many; the count then starts again.</returns>
        public bool IsReachedBy(object one)
        {
            if (!ReferenceEquals(_of, one)) (_of, _count) = (one, 0);
            if (++_count <= MostInARowOnPool || (_count <= MostInARow && !Thread.CurrentThread.IsThreadPoolThread)) return false;
            _of = null;
            return true;
        }
    }

    private sealed class Transport(IDuplexPipe inner) : IDuplexPipe
    {
        public PipeReader Input { get; } = new Reader(inner.Input);

        public PipeWriter Output => inner.Output;
    }

    // How a connection is read.
    private enum Reading
    {
        /// <summary>Nothing has come yet.</summary>
        First,

        /// <summary>HTTP/1.1: one request at a time.</summary>
        OneByOne,

        /// <summary>HTTP/1.1 of a client that has sent more without waiting for its answers: on the pool.</summary>
        Pipelined,

        /// <summary>HTTP/2 or TLS: a read may hold many requests, all of which the server begins at once.</summary>
        Frames,
    }

    private sealed class Reader(PipeReader inner) : PipeReader
    {
        private Reading _reading;
        private int _waits;
        private bool _needsMore;
        private long _mostBytes = MostBytes;
        private ReadOnlySequence<byte> _shown;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => _reading switch
        {
            Reading.OneByOne => _reads.IsReachedBy(this) ? MoveAsync(cancellationToken) : inner.ReadAsync(cancellationToken),
            Reading.Pipelined => ReadPipelinedAsync(cancellationToken),
            Reading.Frames => ReadFramesAsync(cancellationToken),
            _ => ReadFirstAsync(cancellationToken),
        };

        private bool IsBounded => _reading is Reading.Pipelined or Reading.Frames;

        public override bool TryRead(out ReadResult result)
        {
            var isRead = inner.TryRead(out result);
            if (isRead && IsBounded) result = Bounded(result);
            return isRead;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            if (IsBounded)
            {
                // If the server could use nothing of what it was shown, it is shown more. Most pieces end within a frame
                // or a request, and the next piece begins with the rest of it.
                _needsMore = !consumed.Equals(examined) && _shown.Slice(0, consumed).IsEmpty;
                _mostBytes = _needsMore ? Math.Min(2 * _mostBytes, int.MaxValue) : MostBytes;
                _shown = default;
            }
            inner.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        private async ValueTask<ReadResult> ReadFirstAsync(CancellationToken cancellation)
        {
            // It counts, and cannot be one too many.
            _ = _reads.IsReachedBy(this);
            var result = await inner.ReadAsync(cancellation);
            if (result.Buffer.IsEmpty) return result;
            _reading = HoldsFrames(result.Buffer) ? Reading.Frames : Reading.OneByOne;
            return _reading == Reading.Frames ? Bounded(result) : result;
        }

        // Nobody waits for the pipe meanwhile: what the transport receives stays in it until it is full. The transport
        // then stops receiving, and so gives back the thread as well.
        private async ValueTask<ReadResult> MoveAsync(CancellationToken cancellation)
        {
            await Task.Yield();
            var reading = inner.ReadAsync(cancellation);
            // The client has sent more without waiting for its answers.
            if (reading.IsCompleted) (_reading, _waits) = (Reading.Pipelined, 0);
            var result = await reading;
            return IsBounded ? Bounded(result) : result;
        }

        private ValueTask<ReadResult> ReadPipelinedAsync(CancellationToken cancellation)
        {
            var reading = inner.ReadAsync(cancellation);
            if (reading.IsCompletedSuccessfully)
            {
                _waits = 0;
                var result = Bounded(reading.Result);
                return _reads.IsReachedBy(this) ? AfterOthersAsync(result) : new(result);
            }
            if (++_waits >= EnoughWaits) _reading = Reading.OneByOne;
            return _reading == Reading.Pipelined ? OnPoolAsync(reading) : reading;
        }

        private async ValueTask<ReadResult> OnPoolAsync(ValueTask<ReadResult> reading)
        {
            var result = await reading;
            if (!Thread.CurrentThread.IsThreadPoolThread) await Task.Yield();
            return Bounded(result);
        }

        // What more there is comes after the requests of the last read, which wait on the pool by now. The last read
        // began none where it did not hold a whole frame.
        private ValueTask<ReadResult> ReadFramesAsync(CancellationToken cancellation)
        {
            var reading = inner.ReadAsync(cancellation);
            if (!reading.IsCompletedSuccessfully) return WaitForFramesAsync(reading);
            var result = Bounded(reading.Result);
            return _needsMore ? new(result) : AfterOthersAsync(result);
        }

        // The state of the wait is used again: there is one for each request.
        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<ReadResult> WaitForFramesAsync(ValueTask<ReadResult> reading) => Bounded(await reading);

        private static async ValueTask<ReadResult> AfterOthersAsync(ReadResult result)
        {
            await Task.Yield();
            return result;
        }

        // The rest is there at the next read.
        private ReadResult Bounded(in ReadResult result)
        {
            var isWhole = result.Buffer.Length <= _mostBytes;
            _shown = isWhole ? result.Buffer : result.Buffer.Slice(0, _mostBytes);
            return isWhole ? result : new ReadResult(_shown, result.IsCanceled, isCompleted: false);
        }

        // A handshake of TLS (RFC 8446, section 5.1), or the beginning of HTTP/2 (RFC 9113, section 3.4); no method of
        // HTTP/1.1 that is known here begins with PR.
        private static bool HoldsFrames(in ReadOnlySequence<byte> buffer)
        {
            const byte Handshake = 22;
            var reader = new SequenceReader<byte>(buffer);
            return (reader.TryRead(out var first) && first == Handshake) || (first == 'P' && reader.TryRead(out var second) && second == 'R');
        }
    }
}
