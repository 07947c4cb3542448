namespace Gateway.Configuration;

/// <summary>
/// Compares the configuration on the disk with the newest one, several times a second. Notices of the operating system
/// are not used: they miss the links that Kubernetes replaces, end with a directory that is replaced, and may be
/// exhausted on the machine. The files are few and small.
/// </summary>
internal sealed class ConfigurationWatch<T>(LiveConfiguration<T> live) : BackgroundService
    where T : class, ICheckedOptions, new()
{
    // A change applies within two intervals.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250), LongestCheck = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await CheckAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    // A file system that does not answer holds one thread of the pool, and neither this loop nor the end of the host.
    private async Task CheckAsync(CancellationToken stopping)
    {
        var check = Task.Run(live.CheckDisk, CancellationToken.None);
        while (true)
        {
            try
            {
                await check.WaitAsync(LongestCheck, stopping);
                return;
            }
            catch (TimeoutException) when (!check.IsCompleted)
            {
                live.NoteDelay();
            }
        }
    }
}
