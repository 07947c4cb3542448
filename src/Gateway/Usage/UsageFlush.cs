namespace Gateway.Usage;

/// <summary>Collects and shares the use every few seconds. A node that stops shares the rest.</summary>
internal sealed class UsageFlush(SharedUsage shared, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <remarks>The server stops before this service, so all requests are counted.</remarks>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await shared.SendAsync();
        }
        catch (ObjectDisposedException)
        {
            // The host was disposed of before it stopped.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await shared.SendAsync();
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }
}
