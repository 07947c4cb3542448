namespace Gateway.Limits;

/// <summary>Tends the leases of this node several times a second, and says that the node is there.</summary>
internal sealed class QuotaKeeper(Quotas quotas, SharedQuotas shared) : BackgroundService
{
    private const int TicksBetweenBeats = 4;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        foreach (var quota in quotas.All) await quota.ReturnLeaseAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!shared.IsConfigured) return;
        for (var tick = 0; !stoppingToken.IsCancellationRequested; tick++)
        {
            if (tick % TicksBetweenBeats == 0) await shared.BeatAsync();
            foreach (var quota in quotas.All) await quota.TendAsync();
            await Task.Delay(Tick, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
