using System.Collections.Concurrent;
using Gateway.Jobs;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// What nodes tell each other: that a fill has ended, so that nobody waits for it any longer, and that there was a purge.
/// A message may be lost; whoever waits looks for itself before long.
/// </summary>
internal sealed class JobChannel(RedisConnection redis)
{
    /// <summary>How long to wait for a message that may have been lost.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(200);

    /// <summary>Where the name of a job whose fill has ended is said, by what ends its turn in Redis; or nothing, of a purge.</summary>
    public const string Name = RedisConnection.Prefix + "jobs";

    private static readonly RedisChannel Channel = RedisChannel.Literal(Name);

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting = new(StringComparer.Ordinal);
    private bool _subscribed;

    /// <summary>Raised when another node, or this one, has purged something.</summary>
    public event Action? Purged;

    public async Task SubscribeAsync()
    {
        if (_subscribed) return;
        // It is subscribed again by itself whenever the connection is back, also where the first attempt fails.
        var subscriber = (await redis.MultiplexerAsync()).GetSubscriber();
        await subscriber.UnsubscribeAsync(Channel, flags: CommandFlags.FireAndForget);
        await subscriber.SubscribeAsync(Channel, (_, message) => Hear(message.ToString()));
        redis.Lost += WakeAll;
        _subscribed = true;
    }

    /// <summary>Of the end of a fill of one job. There is one listener for each job.</summary>
    public Listener ListenerFor(JobKey job) => new(_waiting, job);

    public async Task TellPurgedAsync()
    {
        if (!redis.IsConfigured) return;
        try
        {
            await (await redis.MultiplexerAsync()).GetSubscriber().PublishAsync(Channel, "", CommandFlags.FireAndForget);
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            // Then it is lost.
        }
    }

    // Without Redis there is nothing to hear.
    private void WakeAll()
    {
        foreach (var waiting in _waiting.Values) waiting.TrySetResult();
    }

    private void Hear(string message)
    {
        if (message.Length == 0) Purged?.Invoke();
        else if (_waiting.TryGetValue(message, out var waiting)) waiting.TrySetResult();
    }

    internal sealed class Listener(ConcurrentDictionary<string, TaskCompletionSource> waiting, JobKey job) : IDisposable
    {
        private string? _name;

        /// <summary>
        /// Waits for the next word of that job, for the loss of Redis, or for a moment, but no longer than
        /// <paramref name="atMost"/>. The first time it only begins to listen: whether there was word before is to be looked up.
        /// </summary>
        public async Task WaitAsync(TimeSpan atMost)
        {
            if (_name is null)
            {
                waiting[_name = job.Name] = NewWord();
                return;
            }
            var word = waiting[_name];
            if (await Task.WhenAny(word.Task, Task.Delay(atMost < LongestWait ? atMost : LongestWait)) == word.Task) waiting[_name] = NewWord();
        }

        public void Dispose()
        {
            if (_name is not null) waiting.TryRemove(_name, out _);
        }

        private static TaskCompletionSource NewWord() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
