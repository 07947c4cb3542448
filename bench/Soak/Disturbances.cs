namespace Gateway.Soak;

/// <summary>Disturbs the machines of a cluster while callers continue.</summary>
internal static class Disturbances
{
    // Offsets from the correct time, in seconds.
    private static readonly int[] Steps = [-20, 0, -60, 120, -3600, 0];

    /// <summary>Sets the wall clock of one node after the other back and forth.</summary>
    public static Task MoveClocksAsync(Cluster cluster, Tally tally, CancellationToken stop) =>
        EveryAsync(TimeSpan.FromSeconds(25), round =>
        {
            var node = cluster.Nodes[round % cluster.Nodes.Count];
            var step = Steps[round / cluster.Nodes.Count % Steps.Length];
            tally.Note($"clock of node {node.Number} at {step} s");
            node.SetClock(TimeSpan.FromSeconds(step));
            return Task.CompletedTask;
        }, stop);

    /// <summary>Kills Redis, and starts an empty one a little later.</summary>
    public static Task RestartRedisAsync(Cluster cluster, Tally tally, CancellationToken stop) =>
        EveryAsync(TimeSpan.FromSeconds(70), round =>
        {
            tally.Note("Redis is killed");
            return cluster.RestartRedisAsync(TimeSpan.FromSeconds(round % 2 == 0 ? 0.2 : 4), stop);
        }, stop);

    private static async Task EveryAsync(TimeSpan pace, Func<int, Task> act, CancellationToken stop)
    {
        try
        {
            for (var round = 0; ; round++)
            {
                await Task.Delay(pace, stop);
                await act(round);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }
}
