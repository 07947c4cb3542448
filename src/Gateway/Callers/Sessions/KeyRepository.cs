using System.Xml;
using System.Xml.Linq;
using Gateway.Redis;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.StackExchangeRedis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Keeps the Data Protection keys in memory, in front of the library's repository in Redis. No request waits for Redis
/// to read a key. <see cref="RedisWatch"/> adds the keys of other nodes once a second, and writes back the keys that
/// Redis has lost.
/// </summary>
internal sealed class KeyRepository(RedisConnection redis, IOptionsMonitor<AuthenticationOptions> options)
    : IRedisParticipant, IXmlRepository, IDisposable
{
    private static readonly RedisKey Key = "data-protection";
    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(500);

    private readonly HashSet<XElement> _known = new(XNode.EqualityComparer);
    private CancellationTokenSource _added = new();

    /// <summary>Raised when this node has made a key, which Redis and the other nodes do not know yet.</summary>
    public event Action? WakeRequested;

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_known) return [.. _known.Select(element => new XElement(element))];
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        // Keep the form in which Redis returns the element: parsing adds a declaration for each namespace.
        var stored = XElement.Parse(element.ToString(SaveOptions.DisableFormatting));
        lock (_known) _known.Add(stored);
        WakeRequested?.Invoke();
    }

    /// <exception cref="RedisException">Redis is away.</exception>
    public async Task SyncAsync(bool wasAway)
    {
        if (!options.CurrentValue.Oidc.IsConfigured) return;
        try
        {
            var stored = await AskAsync(repository => repository.GetAllElements());
            var lost = Add(stored);
            foreach (var element in lost)
            {
                await AskAsync(repository =>
                {
                    repository.StoreElement(element, "");
                    return repository;
                });
            }
        }
        catch (Exception e) when (e is RedisServerException or XmlException)
        {
            // Redis is full or read-only, or holds something else under this name. The watch tries again.
        }
    }

    public void Dispose() => _added.Dispose();

    /// <returns>The keys that Redis has lost.</returns>
    private XElement[] Add(IReadOnlyCollection<XElement> stored)
    {
        XElement[] lost;
        lock (_known)
        {
            lost = [.. _known.Except(stored, XNode.EqualityComparer).Cast<XElement>()];
            var before = _known.Count;
            _known.UnionWith(stored);
            if (_known.Count == before) return lost;
        }
        Interlocked.Exchange(ref _added, new CancellationTokenSource()).Cancel();
        return lost;
    }

    // The library's repository blocks its thread, so it gets a thread of its own.
    private async Task<T> AskAsync<T>(Func<RedisXmlRepository, T> ask) where T : class =>
        (await redis.AskAsync<T>(
            async database => await Task.Factory.StartNew(() => ask(new RedisXmlRepository(() => database, Key)),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default),
            new TimeBudget(Timeout)))!;

    /// <summary>
    /// Makes Data Protection read the keys again when another node has made one. By itself it reads them once a day.
    /// </summary>
    public sealed class Manager(XmlKeyManager inner, KeyRepository repository) : IKeyManager
    {
        public IKey CreateNewKey(DateTimeOffset activationDate, DateTimeOffset expirationDate) =>
            inner.CreateNewKey(activationDate, expirationDate);

        public IReadOnlyCollection<IKey> GetAllKeys() => inner.GetAllKeys();

        public CancellationToken GetCacheExpirationToken() => CancellationTokenSource.CreateLinkedTokenSource(
            inner.GetCacheExpirationToken(), Volatile.Read(ref repository._added).Token).Token;

        public void RevokeKey(Guid keyId, string? reason = null) => inner.RevokeKey(keyId, reason);

        public void RevokeAllKeys(DateTimeOffset revocationDate, string? reason = null) =>
            inner.RevokeAllKeys(revocationDate, reason);
    }
}
