using System.Collections.Concurrent;
using System.Diagnostics;
using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Load;

/// <summary>
/// Asks at an even pace, whatever the answers do: the time of each counts from when it was due, so that who waits behind a
/// slow answer is counted as waiting.
/// </summary>
internal static class Paced
{
    private const int Connections = 64;

    /// <summary>Each asks for another job than all before.</summary>
    public static async Task<Found> CountingAsync(Peer peer, string workflow, long first, double perSecond, int seconds, CancellationToken stop)
    {
        var free = new ConcurrentBag<Connection>();
        using var freed = new SemaphoreSlim(Connections);
        for (var i = 0; i < Connections; i++) free.Add(await Connection.OpenAsync(peer, stop));
        var (count, failed, times) = ((int)(perSecond * seconds), 0, new ConcurrentBag<double>());
        var answers = new List<Task>(count);
        var began = Stopwatch.GetTimestamp();

        async Task AnswerAsync(Connection connection, TimeSpan due)
        {
            if (await connection.ReceiveAsync(stop) != 200) Interlocked.Increment(ref failed);
            times.Add((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds);
            free.Add(connection);
            freed.Release();
        }

        // A thread of its own, for it sleeps and does not let others have it meanwhile.
        await Task.Factory.StartNew(() =>
        {
            for (var i = 0; i < count; i++)
            {
                var due = TimeSpan.FromSeconds(i / perSecond);
                Native.Sleep(due - Stopwatch.GetElapsedTime(began));
                freed.Wait(stop);
                free.TryTake(out var connection);
                connection!.Send(Connection.Request(peer, Jobs.PathOf(workflow, first + i)));
                answers.Add(AnswerAsync(connection, due));
            }
        }, stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAll(answers);
        var time = Stopwatch.GetElapsedTime(began);
        foreach (var connection in free) connection.Dispose();
        var sorted = times.Order().ToArray();
        return new Found(count, time, failed, Statistics.Quantile(sorted, 0.5), Statistics.Quantile(sorted, 0.99), first + count);
    }
}
