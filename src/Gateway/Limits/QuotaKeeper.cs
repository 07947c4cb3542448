using System.Collections.Concurrent;

namespace Gateway.Limits;

/// <summary>
/// Tends the leases of this node several times a second, and says that the node is there. Quotas are tended at once, up
/// to a bound, so that a slow answer of Redis for one delays no other.
/// </summary>
internal sealed class QuotaKeeper(Quotas quotas, SharedQuotas shared) : BackgroundService
{
    private const int TicksBetweenBeats = 4, MostAtOnce = 256;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250), TimeToReturn = TimeSpan.FromSeconds(2);

    // Each quota is tended by one at a time. Those that are over the bound wait for their turn, in order.
    private readonly ConcurrentDictionary<Quota, bool> _tended = new();
    private readonly SemaphoreSlim _slots = new(MostAtOnce);

    public override void Dispose()
    {
        base.Dispose();
        _slots.Dispose();
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // What Redis does not take in time comes back by itself, as the quota is restored.
        await Task.WhenAll(quotas.All.Select(quota => GuardAsync(quota.ReturnLeaseAsync)))
            .WaitAsync(TimeToReturn, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!shared.IsConfigured) return;
        var beat = Task.CompletedTask;
        for (var tick = 0; !stoppingToken.IsCancellationRequested; tick++)
        {
            if (tick % TicksBetweenBeats == 0 && beat.IsCompleted) beat = GuardAsync(shared.BeatAsync);
            foreach (var quota in quotas.All)
            {
                if (_tended.TryAdd(quota, true)) _ = TendAsync(quota);
            }
            await Task.Delay(Tick, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        // A tending that goes on would take a lease after all are given back.
        while (!_tended.IsEmpty) await Task.Delay(10, CancellationToken.None);
    }

    private async Task TendAsync(Quota quota)
    {
        await _slots.WaitAsync();
        await GuardAsync(quota.TendAsync);
        _slots.Release();
        _tended.TryRemove(quota, out _);
    }

    // An exception that left the loop would stop the node.
    private async Task GuardAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e)
        {
            shared.ReportDefect(e);
        }
    }
}
