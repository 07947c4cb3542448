using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Gateway.Redis;
using StackExchange.Redis;

namespace Gateway.Upstream;

/// <summary>
/// Accounts as all nodes share them, in Redis: one value each, which a node changes by putting a new one in the place
/// of the very one that it has seen. Most often it has seen the last one, and that is a single trip.
/// </summary>
internal sealed class SharedAccounts(RedisConnection redis)
{
    private static readonly string Swap = ScriptFile.Read("swap-account");

    private const int MaxTries = 20;

    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    public bool IsConfigured => redis.IsConfigured;

    public bool IsAvailable => redis.IsAvailable;

    /// <summary>Raised when others can be told again.</summary>
    public event Action Returned
    {
        add => redis.Returned += value;
        remove => redis.Returned -= value;
    }

    /// <summary>Changes an account, as often as it takes.</summary>
    /// <param name="change">It may be called several times, with accounts that differ, and does nothing else.</param>
    /// <returns>Null: Redis is no help. <see cref="NodeReply.NotHeard"/>: others were at it all the time.</returns>
    public async ValueTask<NodeReply?> ChangeAsync(string account, LastSeen seen, Func<AccountState, double, NodeReply> change)
    {
        RedisKey[] key = [$"{RedisConnection.Prefix}account:{account}:calls"];
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var version = Guid.NewGuid().ToString("N");
            AccountState state;
            NodeReply reply;
            byte[] json;
            try
            {
                state = seen.Read();
                reply = change(state, seen.Now);
                json = JsonSerializer.SerializeToUtf8Bytes(state);
            }
            catch (Exception e) when (seen.Forget())
            {
                // It looked like an account, and is none; or the gateway has a defect. The account is begun anew.
                redis.ReportDefect(e);
                continue;
            }
            var asked = Stopwatch.GetTimestamp();
            var result = await redis.TryAsync<RedisResult>(async database => await database.ScriptEvaluateAsync(
                Swap, key, [seen.Version, version, json, (long)Kept.TotalMilliseconds]), redis.NewTimeBudget());
            if (result is null) return null;
            var time = double.Parse((string)result[1]!, CultureInfo.InvariantCulture);
            if ((int)result[0] == 1)
            {
                seen.Keep(version, json, state, time, asked);
                return reply;
            }
            seen.Keep((byte[])result[2]!, time, asked);
            // Others are at it, too.
            if (tries > 2) await Task.Delay(Random.Shared.Next(1, 2 + tries));
        }
        return NodeReply.NotHeard;
    }

    /// <summary>
    /// An account as this node has seen it last, and when that was. One thread at a time asks Redis and writes here;
    /// any thread may read <see cref="Now"/>, <see cref="Uncertainty"/> and <see cref="Own"/>.
    /// </summary>
    internal sealed class LastSeen
    {
        private byte[] _json = [];
        private volatile AccountState? _own;
        // Replaced as a whole, so that no reader combines the time of one answer with the arrival of another.
        private volatile Reading _reading = new(RedisTime: 0, AskedAt: 0, SeenAt: Stopwatch.GetTimestamp());

        /// <summary>At first, one that there is none of. What is not ours need not be text.</summary>
        public RedisValue Version { get; private set; } = "?";

        /// <summary>The account after this node's last change; null before the first.</summary>
        public AccountState? Own => _own;

        /// <summary>
        /// What time it is for Redis, at the least: so nothing is thought to have come back before it has.
        /// </summary>
        public double Now
        {
            get
            {
                var reading = _reading;
                return reading.RedisTime + Stopwatch.GetElapsedTime(reading.SeenAt).TotalMicroseconds;
            }
        }

        /// <summary>By how much it may be later there: what its last answer took. In microseconds.</summary>
        public double Uncertainty
        {
            get
            {
                var reading = _reading;
                return reading.AskedAt == 0
                    ? 0 : Stopwatch.GetElapsedTime(reading.AskedAt, reading.SeenAt).TotalMicroseconds;
            }
        }

        /// <summary>The account; what others have lost of what this node knows, it has again.</summary>
        public AccountState Read()
        {
            var state = Parse() ?? new AccountState { Origin = Guid.NewGuid().ToString("N") };
            if (Own is null || state.Origin == Own.Origin) return state;
            state.Restored = Math.Max(state.Restored, Own.Restored);
            state.Health.Merge(Own.Health);
            // Calls under way go on.
            foreach (var (node, calls) in Own.Nodes) state.Nodes.TryAdd(node, calls with { Waiting = [], WaitingUntil = 0 });
            return state;
        }

        public void Keep(string version, byte[] json, AccountState own, double time, long asked)
        {
            (Version, _json) = (version, json);
            Look(time, asked);
            // Who sees it sees a time, too.
            _own = own;
        }

        public void Keep(byte[] held, double time, long asked)
        {
            var end = Array.IndexOf(held, (byte)'\n');
            (Version, _json) = end < 0 ? (held, []) : (held[..end], held[(end + 1)..]);
            Look(time, asked);
        }

        /// <summary>Begins the account anew.</summary>
        /// <returns>False: that it was already.</returns>
        public bool Forget()
        {
            if (_json.Length == 0) return false;
            _json = [];
            return true;
        }

        private void Look(double time, long asked) => _reading = new(time, asked, SeenAt: Stopwatch.GetTimestamp());

        /// <param name="RedisTime">What time it was for Redis, in microseconds since 1970.</param>
        /// <param name="AskedAt">When Redis was asked, and <paramref name="SeenAt"/> when it answered: timestamps of
        /// this process.</param>
        private sealed record Reading(double RedisTime, long AskedAt, long SeenAt);

        // What is not an account is none.
        private AccountState? Parse()
        {
            try
            {
                return _json.Length == 0 ? null : JsonSerializer.Deserialize<AccountState>(_json);
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }
}
