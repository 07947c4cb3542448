using System.Threading.Channels;

namespace Gateway.Redis;

/// <summary>
/// Checks Redis in the background: once a second, more often while it is away, and when a participant asks for it. No
/// request has to find out whether Redis is back. Redis counts as available only after all participants are up to date.
/// </summary>
internal sealed class RedisWatch : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1), IntervalWhileAway = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PatienceAtStart = TimeSpan.FromSeconds(5);

    private readonly RedisConnection _redis;
    private readonly IRedisParticipant[] _participants;
    private readonly Channel<bool> _wakeUps = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public RedisWatch(RedisConnection redis, IEnumerable<IRedisParticipant> participants)
    {
        (_redis, _participants) = (redis, [.. participants]);
        redis.Lost += Wake;
        foreach (var participant in _participants) participant.WakeRequested += Wake;

        void Wake() => _wakeUps.Writer.TryWrite(true);
    }

    /// <summary>Connects before the first request, but starts without Redis where it is away.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!_redis.IsConfigured) return;
        var found = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _redis.Returned += () => found.TrySetResult();
        await base.StartAsync(cancellationToken);
        await found.Task.WaitAsync(PatienceAtStart, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
                // It is time, or the node stops.
            }
        }
    }

    private async Task LookAsync()
    {
        try
        {
            var wasAway = !_redis.IsAvailable;
            foreach (var participant in _participants) await participant.SubscribeAsync();
            var isPrompt = !wasAway || await _redis.IsPromptAsync();
            foreach (var participant in _participants) await participant.SyncAsync(wasAway);
            if (isPrompt) _redis.Found();
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            _redis.Lose(e);
        }
        catch (Exception e)
        {
            // Redis stays as it was, and the next look tries again.
            _redis.ReportDefect(e);
        }
        _redis.Looked();
    }

    // Does what could not be done while Redis was away.
    private async Task CatchUpAsync()
    {
        if (!_redis.IsAvailable) return;
        try
        {
            foreach (var participant in _participants) await participant.CatchUpAsync();
        }
        catch (Exception e)
        {
            // The watch goes on: an exception that left it would stop the node.
            _redis.ReportDefect(e);
        }
    }
}
