using System.Threading.Channels;
using Gateway.Callers.Sessions;

namespace Gateway.Redis;

/// <summary>
/// Looks after Redis in the background, once a second, more often while it is away, and when told of a purge: whoever
/// serves a request never has to find out whether it is back. It is of use only while this node knows what was purged.
/// </summary>
internal sealed class RedisWatch : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1), IntervalWhileAway = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PatienceAtStart = TimeSpan.FromSeconds(5);

    private readonly RedisConnection _redis;
    private readonly PurgeLog _purges;
    private readonly JobChannel _channel;
    private readonly LeftTurns _left;
    private readonly SharedSessions _sessions;
    private readonly KeyRing _keys;
    private readonly Channel<bool> _nudges = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public RedisWatch(RedisConnection redis, PurgeLog purges, JobChannel channel, LeftTurns left, SharedSessions sessions, KeyRing keys)
    {
        (_redis, _purges, _channel, _left, _sessions, _keys) = (redis, purges, channel, left, sessions, keys);
        channel.Purged += () => _nudges.Writer.TryWrite(true);
        redis.Lost += () => _nudges.Writer.TryWrite(true);
        keys.Stored += () => _nudges.Writer.TryWrite(true);
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
                await _nudges.Reader.ReadAsync(interval.Token);
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
            await _channel.SubscribeAsync();
            await _sessions.SubscribeAsync();
            var isPrompt = !wasAway || await _redis.IsPromptAsync();
            var putBack = await _purges.SyncAsync(wasAway);
            await _keys.SyncAsync();
            if (isPrompt) _redis.Found();
            if (putBack) await _channel.TellPurgedAsync();
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

    // What could not be done while Redis was away.
    private async Task CatchUpAsync()
    {
        if (!_redis.IsAvailable) return;
        try
        {
            await _left.EndAsync();
            await _sessions.FlushAsync();
        }
        catch (Exception e)
        {
            // The watch goes on: an exception that left it would stop the node.
            _redis.ReportDefect(e);
        }
    }
}
