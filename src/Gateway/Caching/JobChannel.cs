using System.Collections.Concurrent;
using System.Globalization;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>
/// The messages between nodes: a fetch has ended, a job is gone, or there was a purge. A message may get lost, so a
/// waiting fill also looks into Redis after <see cref="LongestWait"/>.
/// </summary>
internal sealed class JobChannel : IRedisParticipant
{
    private const string Gone = "gone ";

    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// The channel. A message is the name of a job whose fetch has ended, or <c>gone {order} {name}</c> for a job that
    /// a fetch of this order found gone, or empty for a purge.
    /// </summary>
    public const string Name = "jobs";

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting = new(StringComparer.Ordinal);
    private readonly RedisConnection _redis;
    private readonly JobMemory _memory;

    public JobChannel(RedisConnection redis, JobMemory memory)
    {
        (_redis, _memory) = (redis, memory);
        redis.Listen(Name, Receive);
        redis.Lost += WakeAll;
    }

    /// <summary>Raised when any node has purged something.</summary>
    public event Action? WakeRequested;

    /// <summary>Raised when any node has ended a fetch, with the <see cref="JobKey.Name"/> of the job.</summary>
    public event Action<string>? FetchEnded;

    /// <summary>Starts to listen for the end of the fetch of one job. A job has at most one listener.</summary>
    public Listener Listen(string name) => new(_waiting, name);

    /// <returns>
    /// Whether Redis has taken the message; null: there are no other nodes. Without the message, other nodes read the
    /// purge within a second.
    /// </returns>
    public async Task<bool?> PublishPurgeAsync()
    {
        if (!_redis.IsConfigured) return null;
        try
        {
            var subscriber = (await _redis.LinkAsync()).Multiplexer.GetSubscriber();
            await subscriber.PublishAsync(RedisChannel.Literal(Name), "");
            return true;
        }
        catch (Exception e) when (RedisConnection.IsFailure(e))
        {
            return false;
        }
    }

    // While Redis is away, no message arrives.
    private void WakeAll()
    {
        foreach (var waiting in _waiting.Values) waiting.TrySetResult();
    }

    private void Receive(string message)
    {
        if (message.Length == 0)
        {
            WakeRequested?.Invoke();
            return;
        }
        var isGone = message.StartsWith(Gone, StringComparison.Ordinal);
        if (isGone) ReceiveGone(message[Gone.Length..]);
        else if (_waiting.TryGetValue(message, out var waiting)) waiting.TrySetResult();
        FetchEnded?.Invoke(isGone ? message[(message.LastIndexOf(' ') + 1)..] : message);
    }

    private void ReceiveGone(string text)
    {
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !JobKey.TryParse(text[(space + 1)..], out var key)) return;
        var digits = text.AsSpan(0, space);
        if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var order))
        {
            _memory.RemoveGone(key, order);
        }
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
        /// Waits for the next message about the job or for the loss of Redis, but no longer than
        /// <paramref name="atMost"/> and <see cref="LongestWait"/>.
        /// </summary>
        public async Task WaitAsync(TimeSpan atMost)
        {
            var signal = _waiting[_name];
            var time = atMost < LongestWait ? atMost : LongestWait;
            if (await Task.WhenAny(signal.Task, Task.Delay(time)) == signal.Task)
            {
                _waiting[_name] = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public void Dispose() => _waiting.TryRemove(_name, out _);
    }
}
