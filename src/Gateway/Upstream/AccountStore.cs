using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Gateway.Limits;
using Gateway.Redis;
using Gateway.Runtime;
using StackExchange.Redis;

namespace Gateway.Upstream;

/// <summary>
/// Reads and changes the state of an account for one node. The state is in Redis. While Redis is away, the state is in
/// memory, with the node's share of the limits. If Redis is not configured, the state is in memory alone. A node
/// changes the state in Redis by replacing the value that it read last. That value is usually the current one, so a
/// change takes one trip. One thread at a time may exchange.
/// </summary>
internal sealed class AccountStore(string account, RedisConnection redis, SharedQuotas quotas, SteadyClock steady)
{
    private const int MaxTries = 20;

    private static readonly string Swap = ScriptFile.Read("swap-account");

    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>How the state is written.</summary>
    public static readonly JsonSerializerOptions Json = new() { IgnoreReadOnlyProperties = true };

    // The name has the version of the format: nodes of another version use another value.
    private readonly RedisKey[] _key = [$"account:{account}:budget-2"];
    private readonly RedisTime _clock = new();
    // The version that was read last; at first a version that does not exist. It need not be text.
    private RedisValue _version = "?";
    private byte[] _json = [];
    private volatile AccountState? _last, _alone;
    private volatile string[] _dead = [];
    private volatile int _nodes = 1;
    private int _spentAlone;

    /// <summary>The number of nodes that use the account, as far as it is known. Any thread may read it.</summary>
    public int Nodes => _nodes;

    /// <summary>The fingerprints of dead credentials. Any thread may read them.</summary>
    public IReadOnlyList<string> Dead => _dead;

    /// <summary>Whether the node still has to report what happened while Redis was away.</summary>
    public bool IsAlone => _alone is not null;

    /// <summary>The state after this node's last change; null before the first one.</summary>
    public AccountState? Last => _last;

    /// <summary>The time in microseconds since 1970: Redis's if it is known, or else this node's.</summary>
    public double Now => redis.IsConfigured && _last is not null ? _clock.Now : steady.Microseconds;

    /// <summary>The calls that a budget holds now, as far as this node knows. Any thread may read it.</summary>
    public long Left(Gcra budget) => (_alone ?? _last) is not { } state ? (long)budget.Burst
        : budget.Available(state.FullAt, Now + state.ClockOffset);

    /// <summary>Exchanges a report for a reply.</summary>
    public async ValueTask<NodeReply> ExchangeAsync(NodeReport report, AccountLimits limits)
    {
        var reply = redis.IsAvailable ? await ExchangeSharedAsync(report, limits) : null;
        reply ??= ExchangeAlone(report, limits);
        if ((_alone ?? _last) is { } state)
        {
            _dead = [.. state.Health.Credentials.Where(one => one.Value.IsDead).Select(one => one.Key)];
        }
        return reply;
    }

    private async ValueTask<NodeReply?> ExchangeSharedAsync(NodeReport report, AccountLimits limits)
    {
        var (alone, spent) = (_alone, _spentAlone);
        var reply = await SwapAsync((state, now) =>
        {
            if (alone is not null) state.MergeHealth(alone);
            return state.Exchange(report with { SpentAlone = spent }, limits, now, _clock.Uncertainty);
        });
        if (reply is null || reply == NodeReply.NotHeard) return reply;
        (_alone, _spentAlone, _nodes) = (null, 0, Math.Max(1, _last!.Nodes.Count));
        return reply;
    }

    private NodeReply ExchangeAlone(NodeReport report, AccountLimits limits)
    {
        var now = Now;
        if (!redis.IsConfigured) return (_alone ??= new AccountState()).Exchange(report, limits, now);
        var share = limits.Share(quotas.Nodes);
        _alone ??= AccountState.Alone(_last, share, now);
        var reply = _alone.Exchange(report, share, now, _clock.Uncertainty);
        _spentAlone += reply.Granted.Count;
        return reply;
    }

    /// <summary>Changes the state in Redis.</summary>
    /// <param name="change">Changes a state. It may be called several times, and has no other effect.</param>
    /// <returns>
    /// Null: Redis is not available. <see cref="NodeReply.NotHeard"/>: other nodes changed the state each time.
    /// </returns>
    public async ValueTask<NodeReply?> SwapAsync(Func<AccountState, double, NodeReply> change)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            AccountState state;
            NodeReply reply;
            byte[] json;
            try
            {
                state = Parse();
                reply = change(state, _clock.Now);
                json = JsonSerializer.SerializeToUtf8Bytes(state, Json);
            }
            catch (Exception e) when (_json.Length > 0)
            {
                // The value is no account's state, or the gateway has a defect. Begin with a new state.
                redis.ReportDefect(e);
                _json = [];
                continue;
            }
            var version = Guid.NewGuid().ToString("N");
            RedisValue[] arguments = [_version, version, json, (long)Kept.TotalMilliseconds];
            var asked = Stopwatch.GetTimestamp();
            var result = await redis.TryAsync<RedisResult>(
                async database => await database.ScriptEvaluateAsync(Swap, _key, arguments), redis.NewTimeBudget());
            if (result is null) return null;
            _clock.Set(double.Parse((string)result[1]!, CultureInfo.InvariantCulture), asked);
            if ((int)result[0] == 1)
            {
                (_version, _json, _last) = (version, json, state);
                return reply;
            }
            var held = (byte[])result[2]!;
            var end = Array.IndexOf(held, (byte)'\n');
            (_version, _json) = end < 0 ? (held, []) : (held[..end], held[(end + 1)..]);
            // Other nodes change the state at the same time. Let them finish.
            if (tries > 2) await Task.Delay(Random.Shared.Next(1, 2 + tries));
        }
        return NodeReply.NotHeard;
    }

    private AccountState Parse()
    {
        AccountState? state = null;
        try
        {
            if (_json.Length > 0) state = JsonSerializer.Deserialize<AccountState>(_json);
        }
        catch (JsonException)
        {
            // Begin with a new state.
        }
        state ??= new AccountState { Origin = Guid.NewGuid().ToString("N") };
        if (_last is { } last && state.Origin != last.Origin) state.Recover(last);
        return state;
    }

    /// <summary>An estimate of Redis's time. One thread at a time may set it; any thread may read it.</summary>
    internal sealed class RedisTime
    {
        // Replaced as a whole, so that no reader combines parts of two answers.
        private volatile Reading _reading = new(Time: 0, AskedAt: 0, AnsweredAt: Stopwatch.GetTimestamp());

        /// <summary>The earliest possible time of Redis, so that no permit counts before it exists.</summary>
        public double Now
        {
            get
            {
                var reading = _reading;
                return reading.Time + Stopwatch.GetElapsedTime(reading.AnsweredAt).TotalMicroseconds;
            }
        }

        /// <summary>How far Redis's time may be ahead of <see cref="Now"/>: by the duration of the last trip.</summary>
        public double Uncertainty
        {
            get
            {
                var (_, asked, answered) = _reading;
                return asked == 0 ? 0 : Stopwatch.GetElapsedTime(asked, answered).TotalMicroseconds;
            }
        }

        /// <param name="time">Redis's time, in microseconds since 1970.</param>
        /// <param name="asked">When Redis was asked, as a timestamp of this process.</param>
        public void Set(double time, long asked) => _reading = new(time, asked, Stopwatch.GetTimestamp());

        private sealed record Reading(double Time, long AskedAt, long AnsweredAt);
    }
}
