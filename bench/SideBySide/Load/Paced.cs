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
    public static async Task<Found> CountingAsync(Peer peer, string workflow, long first, double perSecond, int seconds, CancellationToken stop) =>
        await RunAsync(peer, i => Jobs.PathOf(workflow, first + i), perSecond, seconds, stop) with { Next = first + (int)(perSecond * seconds) };

    /// <param name="pathOf">What each asks for.</param>
    /// <param name="newEvery">How many requests come on a connection before another one takes its place; 0: it stays.</param>
    /// <param name="patience">How long the last answers are waited for; those that have not come took so long.</param>
    public static async Task<Found> RunAsync(
        Peer peer, Func<int, string> pathOf, double perSecond, int seconds, CancellationToken stop, int newEvery = 0, TimeSpan? patience = null)
    {
        var free = new ConcurrentBag<Connection>();
        using var freed = new SemaphoreSlim(Connections);
        for (var i = 0; i < Connections; i++) free.Add(await Connection.OpenAsync(peer, stop));
        var (count, failed, times) = ((int)(perSecond * seconds), 0, new ConcurrentBag<double>());
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (patience is { } most) giveUp.CancelAfter(TimeSpan.FromSeconds(seconds) + most);
        var answers = new List<Task>(count);
        var began = Stopwatch.GetTimestamp();

        async Task AnswerAsync(Connection connection, TimeSpan due, bool isLast)
        {
            try
            {
                if (await connection.ReceiveAsync(giveUp.Token) != 200) Interlocked.Increment(ref failed);
                times.Add((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds);
                if (isLast)
                {
                    connection.Dispose();
                    connection = await Connection.OpenAsync(peer, giveUp.Token);
                }
                free.Add(connection);
                freed.Release();
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                times.Add((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds);
            }
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
                free.TryTake(out var connection);
                connection!.Send(Connection.Request(peer, pathOf(i)));
                answers.Add(AnswerAsync(connection, due, newEvery > 0 && i % newEvery == 0));
            }
        }, stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAll(answers);
        var time = Stopwatch.GetElapsedTime(began);
        foreach (var connection in free) connection.Dispose();
        var sorted = times.Order().ToArray();
        return new Found(count, time, failed, Statistics.Quantile(sorted, 0.5), Statistics.Quantile(sorted, 0.99));
    }
}
