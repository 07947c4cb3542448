using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace Gateway.Redis;

/// <summary>
/// Reads the address of Redis: a StackExchange.Redis connection string, or a URL of the form
/// <c>redis://user:password@host:port/database</c>, with <c>rediss</c> for TLS.
/// </summary>
internal static class RedisAddress
{
    private const int SentinelPort = 26379, RedisPort = 6379;

    private static readonly int ConnectTimeout = (int)TimeSpan.FromSeconds(1).TotalMilliseconds;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromMilliseconds(500);

    /// <summary>Parses an address, and sets the options that the gateway relies on.</summary>
    /// <exception cref="ArgumentException">
    /// The address is malformed, or has an option that the gateway cannot follow. The message names the option, and no
    /// value, which may be a password.
    /// </exception>
    public static ConfigurationOptions Parse(string address)
    {
        var options = address.Contains("://", StringComparison.Ordinal)
            ? ParseUrl(address) : ParseOptions(address);
        var names = NamesIn(address);
        Refuse(options, names);
        if (!names.Contains("connectTimeout")) options.ConnectTimeout = ConnectTimeout;
        if (!names.Contains("heartbeatInterval")) options.HeartbeatInterval = Heartbeat;
        // The client reconnects in the background. Meanwhile, commands fail at once instead of queueing.
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry((int)Heartbeat.TotalMilliseconds);
        options.ClientName ??= "gateway";
        // Of several servers, only one is the master, so the client needs no key to choose one.
        if (!names.Contains("tiebreaker")) options.TieBreaker = "";
        options.IncludeDetailInExceptions = false;
        SetPorts(options, string.IsNullOrEmpty(options.ServiceName) ? RedisPort : SentinelPort);
        return options;
    }

    /// <summary>The names of the options that an address sets.</summary>
    public static IReadOnlySet<string> NamesIn(string address) => address.Contains("://", StringComparison.Ordinal)
        ? new HashSet<string>()
        : address.Split(',').Where(part => part.Contains('=', StringComparison.Ordinal))
            .Select(part => part[..part.IndexOf('=', StringComparison.Ordinal)].Trim())
            .ToHashSet(StringComparer.OrdinalIgnoreCase);

    private static void SetPorts(ConfigurationOptions options, int port)
    {
        for (var i = 0; i < options.EndPoints.Count; i++)
        {
            options.EndPoints[i] = options.EndPoints[i] switch
            {
                DnsEndPoint { Port: 0 } name => new DnsEndPoint(name.Host, port),
                IPEndPoint { Port: 0 } ip => new IPEndPoint(ip.Address, port),
                var other => other,
            };
        }
    }

    private static void Refuse(ConfigurationOptions options, IReadOnlySet<string> names)
    {
        if (options.AbortOnConnectFail && names.Contains("abortConnect"))
        {
            throw new ArgumentException("abortConnect=true is not supported: a node starts without Redis");
        }
        if (!options.ChannelPrefix.IsNullOrEmpty)
        {
            throw new ArgumentException("channelPrefix is not supported: use Redis:Prefix, for keys and channels");
        }
    }

    // The client's messages contain names and values, which may be parts of a password with a comma.
    private static ConfigurationOptions ParseOptions(string address)
    {
        try
        {
            return ConfigurationOptions.Parse(address);
        }
        catch (ArgumentException)
        {
            var wrong = address.Split(',').Index().Where(part => !IsOption(part.Item)).Select(part => part.Index + 1);
            throw new ArgumentException(
                $"part {string.Join(", ", wrong)} of the list is not an option with a value that the client knows; "
                + "a password with a comma needs the form redis://user:password@host:port");
        }

        static bool IsOption(string part)
        {
            try
            {
                ConfigurationOptions.Parse(part);
                return true;
            }
            catch (ArgumentException)
            {
                return false;
            }
        }
    }

    private static ConfigurationOptions ParseUrl(string address)
    {
        const string Form =
            "the URL of Redis has the form redis://user:password@host:port/database, or rediss://... for TLS; "
            + "other options need the form host:port,password=...,ssl=true";
        if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || url.Scheme is not ("redis" or "rediss")
            || url.Host.Length == 0 || url.Query.Length > 0 || url.Fragment.Length > 0)
        {
            throw new ArgumentException(Form);
        }
        var options = new ConfigurationOptions { AbortOnConnectFail = false, Ssl = url.Scheme == "rediss" };
        options.EndPoints.Add(url.IdnHost, url.IsDefaultPort ? RedisPort : url.Port);
        if (options.Ssl) options.SslHost = url.IdnHost;
        var credential = url.UserInfo.Split(':', 2);
        if (credential[0].Length > 0) options.User = Uri.UnescapeDataString(credential[0]);
        if (credential.Length == 2) options.Password = Uri.UnescapeDataString(credential[1]);
        if (url.AbsolutePath is { Length: > 1 } path)
        {
            if (!int.TryParse(path.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var database))
            {
                throw new ArgumentException(Form);
            }
            options.DefaultDatabase = database;
        }
        return options;
    }
}
