using System.Collections.Concurrent;
using System.Diagnostics;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Load;

/// <summary>
/// Asks at an even pace, whatever the answers do: the time of each counts from when it was due, so that who waits
/// behind a slow answer is counted as waiting.
/// </summary>
internal static class Paced
{
    private const int Connections = 64;

    /// <summary>Each asks for another job than all before.</summary>
    public static async Task<Found> CountingAsync(Peer peer, string workflow, long first, double perSecond, int seconds, CancellationToken stop) =>
        await RunAsync(peer, i => Jobs.PathOf(workflow, first + i), perSecond, seconds, stop) with { Next = first + (int)(perSecond * seconds) };

    /// <param name="pathOf">What each asks for.</param>
    /// <param name="newEvery">
    /// One in so many requests comes on a connection of its own, and its time counts from connecting; the others come
    /// on connections that have been answered before. 0: each connection stays, and all are new when the time begins.
    /// </param>
    /// <param name="patience">How long the last answers are waited for; those that have not come took so long.</param>
    public static async Task<Found> RunAsync(
        Peer peer, Func<int, string> pathOf, double perSecond, int seconds, CancellationToken stop, int newEvery = 0, TimeSpan? patience = null)
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
        if (patience is { } most) giveUp.CancelAfter(TimeSpan.FromSeconds(seconds) + most);
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
                // It counts as having taken so long.
            }
            times.Add((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds);
            if (isNew) connection.Dispose();
            else free.Add(connection);
            freed.Release();
        }

        // A thread of its own, for it sleeps and does not let others have it meanwhile.
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
