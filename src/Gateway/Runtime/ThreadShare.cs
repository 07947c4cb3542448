using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace Gateway.Runtime;

/// <summary>
/// Bounds the time for which one connection keeps a thread. A connection runs on the I/O thread that receives its
/// socket events, and a socket that always has data would keep that thread for ever. After <see cref="MostInARow"/>
/// consecutive requests or reads, the connection therefore moves to the thread pool, behind the work that is queued
/// there. It stays there as long as its client sends requests without waiting for answers. A similar bound holds on the
/// threads of the pool.
/// </summary>
/// <remarks>
/// The counts belong to the thread, so they need no lock and no allocation. They restart when the thread works for
/// another connection. A connection is moved even if the thread has no other work, because a thread cannot tell. This
/// costs one change of threads in 32 requests.
/// </remarks>
internal static class ThreadShare
{
    /// <summary>
    /// The most consecutive requests or reads of one connection on an I/O thread: about a millisecond of work.
    /// </summary>
    public const int MostInARow = 32;

    /// <summary>The same on a thread of the pool, where yielding wakes no thread and costs less.</summary>
    public const int MostInARowOnPool = 8;

    /// <summary>
    /// The initial size of one read in bytes, if a read may hold many requests: about twenty requests of HTTP/2. The
    /// server starts all of them before the next read, and a new connection waits behind them.
    /// </summary>
    public const int MostBytes = 256;

    // A client that waits for its answers this often in a row does not pipeline any more.
    private const int EnoughWaits = 8;

    [ThreadStatic]
    private static Count _requests;

    [ThreadStatic]
    private static Count _reads;

    /// <summary>Bounds requests. This must be the first middleware.</summary>
    public static void UseThreadShare(this WebApplication app) => app.Use((http, next) =>
        // The features are the connection itself over HTTP/1.1, and the stream over HTTP/2.
        _requests.IsReachedBy(http.Features) ? ContinueOnPoolAsync(http, next) : next(http));

    /// <summary>
    /// Processes requests for these paths and the paths below them on the thread pool, because they may take long or
    /// wait for a lock.
    /// </summary>
    public static void UsePoolFor(this IApplicationBuilder app, params PathString[] paths) => app.Use((http, next) =>
        Array.Exists(paths, path => http.Request.Path.StartsWithSegments(path))
            ? ContinueOnPoolAsync(http, next) : next(http));

    /// <summary>
    /// Bounds reads, including data that never becomes a request: empty lines between requests, TLS records and HTTP/2
    /// frames.
    /// </summary>
    public static ConnectionDelegate BoundReads(ConnectionDelegate next) => connection =>
    {
        connection.Transport = new Transport(connection.Transport);
        return next(connection);
    };

    // ConfigureAwaitOptions.ForceYielding would queue on the local queue of a pool thread, which runs that work next.
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
        /// <returns>Whether the bound is exceeded. The count then restarts.</returns>
        public bool IsReachedBy(object connection)
        {
            if (!ReferenceEquals(_of, connection)) (_of, _count) = (connection, 0);
            if (++_count <= MostInARowOnPool) return false;
            if (_count <= MostInARow && !Thread.CurrentThread.IsThreadPoolThread) return false;
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
        /// <summary>No data has arrived yet.</summary>
        First,

        /// <summary>HTTP/1.1, one request at a time.</summary>
        OneByOne,

        /// <summary>HTTP/1.1 of a client that does not wait for its answers; on the thread pool.</summary>
        Pipelined,

        /// <summary>HTTP/2 or TLS: a read may hold many requests, and the server starts all of them at once.</summary>
        Frames,
    }

    private sealed class Reader(PipeReader inner) : PipeReader
    {
        private Reading _reading;
        private int _waits;
        private bool _needsMore;
        private long _mostBytes = MostBytes;
        private ReadOnlySequence<byte> _shown;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            _reading switch
            {
                Reading.OneByOne => _reads.IsReachedBy(this)
                    ? MoveAsync(cancellationToken) : inner.ReadAsync(cancellationToken),
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
                // If the server could not use any of the data, show it more next time. Most pieces end within a frame
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
            // The first read counts, but cannot exceed the bound.
            _ = _reads.IsReachedBy(this);
            var result = await inner.ReadAsync(cancellation);
            if (result.Buffer.IsEmpty) return result;
            _reading = HoldsFrames(result.Buffer) ? Reading.Frames : Reading.OneByOne;
            return _reading == Reading.Frames ? Bounded(result) : result;
        }

        // While the connection is moved, nothing reads the pipe. The transport fills the pipe, stops receiving, and
        // releases its thread.
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

        // The next data must wait behind the requests of the last read, which are queued on the pool. If the last read
        // held no whole frame, it started no request.
        private ValueTask<ReadResult> ReadFramesAsync(CancellationToken cancellation)
        {
            var reading = inner.ReadAsync(cancellation);
            if (!reading.IsCompletedSuccessfully) return WaitForFramesAsync(reading);
            var result = Bounded(reading.Result);
            return _needsMore ? new(result) : AfterOthersAsync(result);
        }

        // Pool the state machine, because there is one wait for each request.
        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<ReadResult> WaitForFramesAsync(ValueTask<ReadResult> reading) => Bounded(await reading);

        private static async ValueTask<ReadResult> AfterOthersAsync(ReadResult result)
        {
            await Task.Yield();
            return result;
        }

        // The next read returns the rest.
        private ReadResult Bounded(in ReadResult result)
        {
            var isWhole = result.Buffer.Length <= _mostBytes;
            _shown = isWhole ? result.Buffer : result.Buffer.Slice(0, _mostBytes);
            return isWhole ? result : new ReadResult(_shown, result.IsCanceled, isCompleted: false);
        }

        // A TLS handshake (RFC 8446, section 5.1), or the HTTP/2 preface (RFC 9113, section 3.4). No method that the
        // gateway supports begins with PR.
        private static bool HoldsFrames(in ReadOnlySequence<byte> buffer)
        {
            const byte Handshake = 22;
            var reader = new SequenceReader<byte>(buffer);
            return (reader.TryRead(out var first) && first == Handshake)
                || (first == 'P' && reader.TryRead(out var second) && second == 'R');
        }
    }
}
