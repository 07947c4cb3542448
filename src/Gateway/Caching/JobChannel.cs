using System.Collections.Concurrent;
using System.Globalization;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// What nodes tell each other: that a fill has ended, so that nobody waits for it any longer, that a job is gone, and
/// that there was a purge.
/// A message may be lost; whoever waits looks for itself before long.
/// </summary>
internal sealed class JobChannel(RedisConnection redis, JobMemory memory) : IRedisParticipant
{
    // "gone", the order of the fetch that found out, and the job's name.
    private const string Gone = "gone ";

    /// <summary>How long to wait for a message that may have been lost.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// The channel. A message is the name of a job whose fetch has ended, <c>gone {order} {name}</c> for a job that the
    /// upstream no longer has, or empty for a purge.
    /// </summary>
    public const string Name = RedisConnection.Prefix + "jobs";

    private static readonly RedisChannel Channel = RedisChannel.Literal(Name);

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting = new(StringComparer.Ordinal);
    private bool _subscribed;

    /// <summary>Raised when another node, or this one, has purged something.</summary>
    public event Action? WakeRequested;

    public async Task SubscribeAsync()
    {
        if (_subscribed) return;
        // It is subscribed again by itself whenever the connection is back, also where the first attempt fails.
        var subscriber = (await redis.MultiplexerAsync()).GetSubscriber();
        await subscriber.UnsubscribeAsync(Channel, flags: CommandFlags.FireAndForget);
        await subscriber.SubscribeAsync(Channel, redis.Guard(Hear));
        redis.Lost += WakeAll;
        _subscribed = true;
    }

    /// <summary>Begins to listen for the end of a fill of one job. There is one listener for each job.</summary>
    public Listener Listen(string name) => new(_waiting, name);

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
        if (message.Length == 0) WakeRequested?.Invoke();
        else if (message.StartsWith(Gone, StringComparison.Ordinal)) HearGone(message[Gone.Length..]);
        else if (_waiting.TryGetValue(message, out var waiting)) waiting.TrySetResult();
    }

    private void HearGone(string told)
    {
        var space = told.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !JobKey.TryParse(told[(space + 1)..], out var key)) return;
        var isOrder = long.TryParse(told.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out var order);
        if (isOrder) memory.RemoveGone(key, order);
    }

    internal sealed class Listener : IDisposable
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting;
        private readonly string _name;

        public Listener(ConcurrentDictionary<string, TaskCompletionSource> waiting, string name)
        {
            (_waiting, _name) = (waiting, name);
            _waiting[name] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        /// <summary>
        /// Waits for the next word of that job, for the loss of Redis, or for a moment, but no longer than
        /// <paramref name="atMost"/>.
        /// </summary>
        public async Task WaitAsync(TimeSpan atMost)
        {
            var word = _waiting[_name];
            if (await Task.WhenAny(word.Task, Task.Delay(atMost < LongestWait ? atMost : LongestWait)) == word.Task)
            {
                _waiting[_name] = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public void Dispose() => _waiting.TryRemove(_name, out _);
    }
}
