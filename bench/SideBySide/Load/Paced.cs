using System.Collections.Concurrent;
using System.Diagnostics;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Load;

/// <summary>
/// Sends at a fixed rate, independently of the answers. The time of each request counts from its due time, so it
/// includes waiting behind a slow answer.
/// </summary>
internal static class Paced
{
    private const int Connections = 64;

    /// <summary>Requests a new job each time.</summary>
    public static async Task<Found> CountingAsync(
        Peer peer, string workflow, long first, double perSecond, int seconds, CancellationToken stop) =>
        await RunAsync(peer, i => Jobs.PathOf(workflow, first + i), perSecond, seconds, stop) with
        {
            Next = first + (int)(perSecond * seconds),
        };

    /// <param name="pathOf">The path of each request.</param>
    /// <param name="newEvery">
    /// One in this number of requests uses a new connection, and its time includes connecting; the others use
    /// connections that have already been used. 0: each connection is kept, and all are new at the start.
    /// </param>
    /// <param name="drainTimeout">How long to wait for the last answers. Missing answers count with this time.</param>
    public static async Task<Found> RunAsync(
        Peer peer, Func<int, string> pathOf, double perSecond, int seconds, CancellationToken stop, int newEvery = 0,
        TimeSpan? drainTimeout = null)
    {
        var free = new ConcurrentBag<Connection>();
        using var freed = new SemaphoreSlim(Connections);
        var (count, failed, times) = ((int)(perSecond * seconds), 0, new ConcurrentBag<double>());
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(stop);
        for (var i = 0; i < Connections; i++)
        {
            var connection = await Connection.OpenAsync(peer, stop);
            free.Add(connection);
            if (newEvery == 0) continue;
            connection.Send(Connection.Request(peer, pathOf(i)));
            if (await connection.ReceiveAsync(stop) != 200) failed++;
        }
        if (drainTimeout is { } most) giveUp.CancelAfter(TimeSpan.FromSeconds(seconds) + most);
        var answers = new List<Task>(count);
        var began = Stopwatch.GetTimestamp();

        async Task AnswerAsync(Connection connection, TimeSpan due, bool isNew)
        {
            try
            {
                if (await connection.ReceiveAsync(giveUp.Token) != 200) Interlocked.Increment(ref failed);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                // The request counts with this time.
            }
            times.Add((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds);
            if (isNew) connection.Dispose();
            else free.Add(connection);
            freed.Release();
        }

        // A dedicated thread, because it sleeps.
        await Task.Factory.StartNew(() =>
        {
            for (var i = 0; i < count; i++)
            {
                var due = TimeSpan.FromSeconds(i / perSecond);
                Native.Sleep(due - Stopwatch.GetElapsedTime(began));
                try
                {
                    freed.Wait(giveUp.Token);
                }
                catch (OperationCanceledException) when (!stop.IsCancellationRequested)
                {
                    times.Add((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds);
                    continue;
                }
                var isNew = newEvery > 0 && i % newEvery == 0;
                var connection = isNew || !free.TryTake(out var known) ? Connection.Open(peer) : known;
                connection.Send(Connection.Request(peer, pathOf(i)));
                answers.Add(AnswerAsync(connection, due, isNew));
            }
        }, stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAll(answers);
        var time = Stopwatch.GetElapsedTime(began);
        foreach (var connection in free) connection.Dispose();
        var sorted = times.Order().ToArray();
        return new Found(count, time, failed, Statistics.Quantile(sorted, 0.5), Statistics.Quantile(sorted, 0.99));
    }
}
