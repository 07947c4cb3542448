using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Gateway.Operations;

/// <summary>
/// Bounds how long one connection keeps a thread. A connection goes on on the thread that hears of its socket, and a
/// socket that always has more to read would keep that thread for ever. After <see cref="MostRequests"/> requests, or
/// <see cref="MostReads"/> reads, of the same connection in a row, the connection therefore goes on on the thread pool,
/// behind what waits there already. The same bounds hold on the threads of the pool.
/// </summary>
/// <remarks>
/// The counts belong to the thread, so they need no lock and no allocation. They start again as soon as the thread does
/// something for another connection. A connection that has the thread for itself moves as well: that costs one change of
/// threads in 64 requests.
/// </remarks>
internal static class ThreadShare
{
    /// <summary>Requests of one connection in a row on a thread: about a millisecond of work.</summary>
    public const int MostRequests = 64;

    /// <summary>Reads of one connection in a row on a thread, of 4 KB each while the client sends without end.</summary>
    public const int MostReads = 64;

    [ThreadStatic]
    private static Count _requests;

    [ThreadStatic]
    private static Count _reads;

    /// <summary>Bounds requests. It must be the first middleware.</summary>
    public static void UseThreadShare(this WebApplication app) => app.Use((http, next) =>
        // The features are the connection itself over HTTP/1.1, and the stream over HTTP/2.
        _requests.IsReachedBy(http.Features, MostRequests) ? ContinueOnPoolAsync(http, next) : next(http));

    /// <summary>Answers requests for these paths, and what is below them, on the thread pool: they may take long, or wait for a lock.</summary>
    public static void UsePoolFor(this IApplicationBuilder app, params PathString[] paths) => app.Use((http, next) =>
        Array.Exists(paths, path => http.Request.Path.StartsWithSegments(path)) ? ContinueOnPoolAsync(http, next) : next(http));

    /// <summary>
    /// Bounds reads, also of what never becomes a request: empty lines between requests, records of TLS, frames of HTTP/2.
    /// </summary>
    public static ConnectionDelegate BoundReads(ConnectionDelegate next) => connection =>
    {
        connection.Transport = new Transport(connection.Transport);
        return next(connection);
    };

    // A yield, and not ConfigureAwaitOptions.ForceYielding: that one queues on the pool's own thread, which takes it next.
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
        /// <returns>Whether it was the last that is allowed; the count then starts again.</returns>
        public bool IsReachedBy(object one, int most)
        {
            if (!ReferenceEquals(_of, one)) (_of, _count) = (one, 0);
            if (++_count < most) return false;
            _of = null;
            return true;
        }
    }

    private sealed class Transport(IDuplexPipe inner) : IDuplexPipe
    {
        public PipeReader Input { get; } = new Reader(inner.Input);

        public PipeWriter Output => inner.Output;
    }

    private sealed class Reader(PipeReader inner) : PipeReader
    {
        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            _reads.IsReachedBy(this, MostReads) ? ReadOnPoolAsync(cancellationToken) : inner.ReadAsync(cancellationToken);

        public override bool TryRead(out ReadResult result) => inner.TryRead(out result);

        public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        // Nobody waits for the pipe meanwhile: what the transport receives stays in it until it is full. The transport then
        // stops receiving, and so gives back the thread as well.
        private async ValueTask<ReadResult> ReadOnPoolAsync(CancellationToken cancellation)
        {
            await Task.Yield();
            return await inner.ReadAsync(cancellation);
        }
    }
}
