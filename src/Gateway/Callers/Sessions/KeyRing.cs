using System.Xml;
using System.Xml.Linq;
using Gateway.Redis;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Callers.Sessions;

/// <summary>
/// The Data Protection keys that protect a login on its way through the browser. A node has them in memory, so that no
/// request waits for them; the watch over Redis brings in what other nodes have made, and puts back what Redis has
/// lost.
/// </summary>
internal sealed class KeyRing(RedisConnection redis, IOptionsMonitor<AuthenticationOptions> options) : IRedisParticipant, IXmlRepository, IConfigureOptions<KeyManagementOptions>, IDisposable
{
    private static readonly RedisKey Key = RedisConnection.Prefix + "data-protection";
    private static readonly TimeSpan LookingTime = TimeSpan.FromMilliseconds(500);

    private readonly HashSet<string> _elements = new(StringComparer.Ordinal);
    private CancellationTokenSource _newer = new();

    /// <summary>Raised when this node has made a key, which other nodes do not know yet.</summary>
    public event Action? WakeRequested;

    /// <summary>Cancelled when another node has made a key.</summary>
    public CancellationToken Newer => Volatile.Read(ref _newer).Token;

    public void Configure(KeyManagementOptions options)
    {
        options.XmlRepository = this;
        // Whoever may read this Redis may read the sessions themselves.
        options.XmlEncryptor = new NullXmlEncryptor();
    }

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_elements) return [.. _elements.Select(element => XElement.Parse(element))];
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_elements) _elements.Add(element.ToString(SaveOptions.DisableFormatting));
        WakeRequested?.Invoke();
    }

    /// <summary>Makes this node and Redis know the same keys.</summary>
    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task SyncAsync(bool wasAway)
    {
        if (!options.CurrentValue.Oidc.IsConfigured) return;
        try
        {
            var stored = await redis.AskAsync<RedisValue[]>(async database => await database.ListRangeAsync(Key), new TimeBudget(LookingTime)) ?? [];
            var (news, lost) = Compare(stored);
            if (lost.Length > 0) await redis.AskAsync<object>(async database => await database.ListRightPushAsync(Key, lost), new TimeBudget(LookingTime));
            if (news) await Interlocked.Exchange(ref _newer, new CancellationTokenSource()).CancelAsync();
        }
        catch (RedisServerException)
        {
            // It is full, read-only, or has something else there: the next look tries again.
        }
    }

    public void Dispose() => _newer.Dispose();

    private (bool News, RedisValue[] Lost) Compare(RedisValue[] stored)
    {
        lock (_elements)
        {
            RedisValue[] lost = [.. _elements.Select(element => (RedisValue)element).Except(stored)];
            var before = _elements.Count;
            // An element that is no XML would fail each login.
            foreach (var element in stored.Select(value => value.ToString()).Where(IsXml)) _elements.Add(element);
            return (_elements.Count > before, lost);
        }
    }

    private static bool IsXml(string element)
    {
        try
        {
            return XElement.Parse(element) is not null;
        }
        catch (XmlException)
        {
            return false;
        }
    }

    /// <summary>Has a key ready before the first login, and none made where nobody logs in.</summary>
    public sealed class Start(IOptionsMonitor<AuthenticationOptions> options, IServiceProvider services) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            if (options.CurrentValue.Oidc.IsConfigured) services.GetDataProtector(nameof(Start)).Protect([]);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>
    /// Data Protection's own keys, read again when another node has made one, and not only once a day.
    /// </summary>
    public sealed class Manager(XmlKeyManager own, KeyRing ring) : IKeyManager
    {
        public IKey CreateNewKey(DateTimeOffset activationDate, DateTimeOffset expirationDate) => own.CreateNewKey(activationDate, expirationDate);

        public IReadOnlyCollection<IKey> GetAllKeys() => own.GetAllKeys();

        public CancellationToken GetCacheExpirationToken() =>
            CancellationTokenSource.CreateLinkedTokenSource(own.GetCacheExpirationToken(), ring.Newer).Token;

        public void RevokeKey(Guid keyId, string? reason = null) => own.RevokeKey(keyId, reason);

        public void RevokeAllKeys(DateTimeOffset revocationDate, string? reason = null) => own.RevokeAllKeys(revocationDate, reason);
    }
}
