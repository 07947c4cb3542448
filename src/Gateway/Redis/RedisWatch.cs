using System.Threading.Channels;

namespace Gateway.Redis;

/// <summary>
/// Checks Redis in the background: once a second, more often while it is away, and when a participant asks for it. No
/// request has to find out whether Redis is back. Redis counts as available only after all participants are up to date.
/// </summary>
internal sealed class RedisWatch : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntervalWhileAway = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(5);

    private readonly RedisConnection _redis;
    private readonly IRedisParticipant[] _participants;
    private readonly Channel<bool> _wakeUps = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public RedisWatch(RedisConnection redis, IEnumerable<IRedisParticipant> participants)
    {
        (_redis, _participants) = (redis, [.. participants]);
        redis.Lost += Wake;
        foreach (var participant in _participants) participant.WakeRequested += Wake;

        void Wake() => _wakeUps.Writer.TryWrite(true);
    }

    /// <summary>Connects before the first request. If Redis is away, the node starts without it.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!_redis.IsConfigured) return;
        var found = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _redis.Returned += () => found.TrySetResult();
        await base.StartAsync(cancellationToken);
        await found.Task.WaitAsync(StartTimeout, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await LookAsync();
            await CatchUpAsync();
            using var interval = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            interval.CancelAfter(_redis.IsAvailable ? Interval : IntervalWhileAway);
            try
            {
                await _wakeUps.Reader.ReadAsync(interval.Token);
            }
            catch (OperationCanceledException)
            {
                // The interval is over, or the node stops.
            }
        }
    }

    private async Task LookAsync()
    {
        try
        {
            var wasAway = !_redis.IsAvailable;
            _redis.RenewIfNeeded();
            await _redis.SubscribeAsync();
            var link = _redis.Link;
            var isPrompt = !wasAway || await _redis.IsPromptAsync();
            foreach (var participant in _participants) await participant.SyncAsync(wasAway);
            if (isPrompt) _redis.MarkAvailable(link);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            _redis.MarkUnavailable(e);
        }
        catch (Exception e)
        {
            // Redis keeps its state, and the next look tries again.
            _redis.ReportDefect(e);
        }
        _redis.NoteLook();
    }

    private async Task CatchUpAsync()
    {
        if (!_redis.IsAvailable) return;
        try
        {
            foreach (var participant in _participants) await participant.CatchUpAsync();
        }
        catch (Exception e)
        {
            // An exception from a background service would stop the node.
            _redis.ReportDefect(e);
        }
    }
}
