namespace Gateway.Soak;

/// <summary>What happens to the machines of a cluster while callers go on.</summary>
internal static class Disturbances
{
    // Offsets from the right time, in seconds.
    private static readonly int[] Steps = [-20, 0, -60, 120, -3600, 0];

    /// <summary>Sets the wall clock of one node after the other back and forth.</summary>
    public static Task MoveClocksAsync(Cluster cluster, Tally tally, CancellationToken stop) =>
        EveryAsync(TimeSpan.FromSeconds(25), turn =>
        {
            var node = cluster.Nodes[turn % cluster.Nodes.Count];
            var step = Steps[turn / cluster.Nodes.Count % Steps.Length];
            tally.Note($"clock of node {node.Number} at {step} s");
            node.SetClock(TimeSpan.FromSeconds(step));
            return Task.CompletedTask;
        }, stop);

    /// <summary>Kills Redis, and starts an empty one a little later.</summary>
    public static Task RestartRedisAsync(Cluster cluster, Tally tally, CancellationToken stop) =>
        EveryAsync(TimeSpan.FromSeconds(70), turn =>
        {
            tally.Note("Redis is killed");
            return cluster.RestartRedisAsync(TimeSpan.FromSeconds(turn % 2 == 0 ? 0.2 : 4), stop);
        }, stop);

    private static async Task EveryAsync(TimeSpan pace, Func<int, Task> act, CancellationToken stop)
    {
        try
        {
            for (var turn = 0; ; turn++)
            {
                await Task.Delay(pace, stop);
                await act(turn);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }
}
