using System.Collections.Concurrent;
using Gateway.Configuration;

namespace Gateway.Upstream;

/// <summary>The credentials of each account, as they are now.</summary>
internal sealed partial class Accounts(LiveConfiguration configuration, ILogger<Accounts> logger)
{
    private readonly ConcurrentDictionary<string, Credential> _lastRead = new(StringComparer.Ordinal);

    public IEnumerable<string> Names =>
        configuration.Current.Upstream.Accounts.Where(account => !account.Value.IsEmpty).Select(account => account.Key);

    /// <summary>
    /// The credential for the next upstream call, and then the one that is to take over. A file is read at each call: what
    /// it holds is then never old, and a call is rare. While it cannot be read, or is being rewritten, the one read last
    /// goes on.
    /// </summary>
    /// <returns>Empty: the account is gone from the configuration, or its files never held a credential.</returns>
    public Credential[] CredentialsOf(string account)
    {
        if (!configuration.Current.Upstream.Accounts.TryGetValue(account, out var options)) return [];
        var first = Read(account, options.Credential, options.CredentialFile);
        if (!options.HasNext) return first is null ? [] : [first];
        var next = Read(account, options.NextCredential, options.NextCredentialFile);
        return [.. new[] { first, next }.OfType<Credential>().DistinctBy(credential => credential.Fingerprint)];
    }

    // Parsed once, for it takes a while.
    private Credential? Read(string account, string configured, string file)
    {
        var known = _lastRead.GetValueOrDefault(file.Length == 0 ? configured : file);
        if (file.Length == 0)
        {
            return known ?? (Credential.TryParse(configured, out var parsed) ? _lastRead[configured] = parsed : null);
        }
        if (Credential.TryReadFile(file, out var read, out var problem, known)) return read == known ? read : _lastRead[file] = read;
        Log.Unreadable(logger, account, problem);
        return known;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Credential file of account {Account}: {Problem}")]
        public static partial void Unreadable(ILogger logger, string account, string problem);
    }
}
