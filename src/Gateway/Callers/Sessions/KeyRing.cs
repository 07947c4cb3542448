using System.Xml.Linq;
using Gateway.Configuration;
using Gateway.Redis;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.StackExchangeRedis;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Where the keys are that protect a login on its way through the browser: in Redis, so that it may begin on one node and
/// end on another, and else in memory, as the sessions are.
/// </summary>
internal sealed class KeyRing(RedisConnection redis, LiveConfiguration configuration) : IConfigureOptions<KeyManagementOptions>
{
    public void Configure(KeyManagementOptions options)
    {
        // Whoever may read this Redis may read the sessions themselves.
        options.XmlEncryptor = new NullXmlEncryptor();
        options.XmlRepository = redis.IsConfigured && configuration.Current.Authentication.Oidc.IsConfigured
            ? new RedisXmlRepository(() => redis.MultiplexerAsync().GetAwaiter().GetResult().GetDatabase(), RedisConnection.Prefix + "data-protection")
            : new Memory();
    }

    private sealed class Memory : IXmlRepository
    {
        private readonly List<XElement> _keys = [];

        public IReadOnlyCollection<XElement> GetAllElements()
        {
            lock (_keys) return [.. _keys.Select(key => new XElement(key))];
        }

        public void StoreElement(XElement element, string friendlyName)
        {
            lock (_keys) _keys.Add(new XElement(element));
        }
    }
}
