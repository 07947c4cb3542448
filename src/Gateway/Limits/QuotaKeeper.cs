using System.Collections.Concurrent;

namespace Gateway.Limits;

/// <summary>
/// Adjusts the leases of this node several times a second. Quotas are adjusted concurrently, so that a slow reply of
/// Redis for one of them does not delay the others.
/// </summary>
internal sealed class QuotaKeeper(Quotas quotas, SharedQuotas shared) : BackgroundService
{
    private const int MaxConcurrency = 256;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250), ReturnTimeout = TimeSpan.FromSeconds(2);

    // The quotas that are being adjusted or wait for a slot. A quota is adjusted once at a time.
    private readonly ConcurrentDictionary<Quota, bool> _running = new();
    private readonly SemaphoreSlim _slots = new(MaxConcurrency);

    public override void Dispose()
    {
        base.Dispose();
        _slots.Dispose();
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // Permits that are not returned in time are restored as the bucket fills.
        await Task.WhenAll(quotas.All.Select(quota => GuardAsync(quota.ReturnLeaseAsync)))
            .WaitAsync(ReturnTimeout, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!shared.IsConfigured) return;
        while (!stoppingToken.IsCancellationRequested)
        {
            foreach (var quota in quotas.All)
            {
                if (_running.TryAdd(quota, true)) _ = AdjustAsync(quota);
            }
            await Task.Delay(Tick, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        // An adjustment that still runs could lease permits after the lease is returned.
        while (!_running.IsEmpty) await Task.Delay(10, CancellationToken.None);
    }

    private async Task AdjustAsync(Quota quota)
    {
        await _slots.WaitAsync();
        await GuardAsync(quota.AdjustLeaseAsync);
        _slots.Release();
        _running.TryRemove(quota, out _);
    }

    // An exception from a background service would stop the node.
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
