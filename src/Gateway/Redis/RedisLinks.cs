using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Gateway.Outbound;
using StackExchange.Redis;
using StackExchange.Redis.KeyspaceIsolation;

namespace Gateway.Redis;

/// <summary>A connection to the master of Redis, until another one replaces it.</summary>
/// <param name="Address">The address that it was made with, which may contain a password.</param>
/// <param name="Database">The database, which adds the prefix to each key.</param>
internal sealed record RedisLink(IConnectionMultiplexer Multiplexer, IDatabase Database, string Address);

/// <summary>
/// Connects to Redis, and connects again when the address has changed or leads to another server. The client itself
/// reconnects after failures, but keeps its options, and stays with a server that has become a replica.
/// </summary>
internal sealed class RedisLinks(
    Func<string> address, Func<RedisOptions> settings, string prefix, Certificates certificates) : IDisposable
{
    // Commands that are under way are not cut off when a link is replaced.
    private static readonly TimeSpan Remaining = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _subscribing = new(1);
    private readonly List<(RedisChannel Name, Action<RedisChannel, RedisValue> Handle)> _channels = [];
    private Task<RedisLink>? _current;
    private RedisLink? _subscribed;
    private int _subscriptions;
    private bool _isDisposed;

    /// <summary>Whether the current link was made with another address than the configured one.</summary>
    public bool IsOutdated => Current is { } link && address() is { Length: > 0 } now && now != link.Address;

    /// <summary>The current link; null while there is none.</summary>
    public RedisLink? Current
    {
        get
        {
            var current = Volatile.Read(ref _current);
            return current?.IsCompletedSuccessfully == true ? current.Result : null;
        }
    }

    /// <summary>Returns the current link. The first call connects.</summary>
    /// <exception cref="RedisException">No sentinel knows the master.</exception>
    public Task<RedisLink> GetAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_current is null or { IsFaulted: true } or { IsCanceled: true }) _current = ConnectAsync();
            return _current;
        }
    }

    /// <summary>Listens to a channel, on the current link and on later ones.</summary>
    public void Listen(string channel, Action<RedisChannel, RedisValue> handle)
    {
        lock (_lock) _channels.Add((RedisChannel.Literal(channel), handle));
    }

    /// <summary>Subscribes to the channels, unless the current link has all of them.</summary>
    /// <exception cref="RedisException">Redis is away, or refuses the subscription.</exception>
    public async Task SubscribeAsync() => await SubscribeAsync(await GetAsync());

    /// <summary>Connects once more, with the current address.</summary>
    /// <returns>Null if the connection leads to no master.</returns>
    /// <exception cref="RedisException">No sentinel knows the master, or the connection failed.</exception>
    public async Task<RedisLink?> ConnectAgainAsync()
    {
        var next = await ConnectAsync();
        if (next.Multiplexer.GetServers().Any(server => server is { IsConnected: true, IsReplica: false })) return next;
        await next.Multiplexer.DisposeAsync();
        return null;
    }

    /// <summary>Replaces the current link.</summary>
    public void Use(RedisLink next)
    {
        RedisLink? before;
        lock (_lock)
        {
            before = _isDisposed ? next : Current;
            if (!_isDisposed) _current = Task.FromResult(next);
        }
        if (before is not null) _ = DisposeLaterAsync(before);
    }

    public void Dispose()
    {
        lock (_lock) _isDisposed = true;
        Current?.Multiplexer.Dispose();
        _subscribing.Dispose();
    }

    /// <summary>The options for a connection to the master.</summary>
    /// <exception cref="RedisException">No sentinel knows the master.</exception>
    public Task<ConfigurationOptions> OptionsAsync() => OptionsAsync(address());

    private async Task<RedisLink> ConnectAsync()
    {
        var text = address();
        var multiplexer = await ConnectionMultiplexer.ConnectAsync(await OptionsAsync(text));
        return new RedisLink(multiplexer, multiplexer.GetDatabase().WithKeyPrefix(prefix), text);
    }

    private async Task<ConfigurationOptions> OptionsAsync(string text)
    {
        var options = RedisAddress.Parse(text);
        // A request gives up earlier, by its time budget. This timeout detects a dead connection.
        if (!RedisAddress.NamesIn(text).Contains("asyncTimeout"))
        {
            options.AsyncTimeout = (int)Math.Max(1000, 2 * settings().Timeout.TotalMilliseconds);
        }
        UseCertificates(options);
        options.ChannelPrefix = RedisChannel.Literal(prefix);
        return await RedisSentinels.ResolveAsync(options);
    }

    private void UseCertificates(ConfigurationOptions options)
    {
        if (!settings().TlsFiles().AreNamed) return;
        // Called for each connection, so that certificates that were renewed are used.
        options.SslClientAuthenticationOptions = host =>
        {
            var tls = certificates.Read().Options(host);
            tls.EnabledSslProtocols = options.SslProtocols ?? SslProtocols.None;
            tls.CertificateRevocationCheckMode =
                options.CheckCertificateRevocation ? X509RevocationMode.Online : X509RevocationMode.NoCheck;
            return tls;
        };
    }

    private async Task SubscribeAsync(RedisLink link)
    {
        if (link == _subscribed && _subscriptions == _channels.Count) return;
        await _subscribing.WaitAsync();
        try
        {
            if (link != _subscribed) (_subscribed, _subscriptions) = (link, 0);
            var subscriber = link.Multiplexer.GetSubscriber();
            while (true)
            {
                RedisChannel name;
                Action<RedisChannel, RedisValue> handle;
                lock (_lock)
                {
                    if (_subscriptions == _channels.Count) return;
                    (name, handle) = _channels[_subscriptions];
                }
                // The client renews a subscription when the connection is back, even if the first attempt fails.
                // Unsubscribe first, so that a repeated attempt does not add a second handler.
                await subscriber.UnsubscribeAsync(name, flags: CommandFlags.FireAndForget);
                await subscriber.SubscribeAsync(name, (channel, message) =>
                {
                    // A link that was replaced may live on for a time, and receives the same messages.
                    if (link == Current) handle(channel, message);
                });
                _subscriptions++;
            }
        }
        finally
        {
            _subscribing.Release();
        }
    }

    private static async Task DisposeLaterAsync(RedisLink link)
    {
        await Task.Delay(Remaining);
        await link.Multiplexer.DisposeAsync();
    }
}
