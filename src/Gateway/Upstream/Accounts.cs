using System.Collections.Concurrent;
using Gateway.Configuration;

namespace Gateway.Upstream;

/// <summary>The credential of each account, as it is now.</summary>
internal sealed partial class Accounts(LiveConfiguration configuration, ILogger<Accounts> logger)
{
    private readonly ConcurrentDictionary<string, Credential> _lastRead = new(StringComparer.Ordinal);

    public IEnumerable<string> Names =>
        configuration.Current.Upstream.Accounts.Where(account => !account.Value.IsEmpty).Select(account => account.Key);

    /// <summary>
    /// The credential for the next upstream call. A file is read at each call: what it holds is then never old, and a
    /// call is rare. While it cannot be read, or is being rewritten, the one read last goes on.
    /// </summary>
    /// <returns>Null: the account is gone from the configuration, or its file never held a credential.</returns>
    public Credential? CredentialOf(string account)
    {
        if (!configuration.Current.Upstream.Accounts.TryGetValue(account, out var options)) return null;
        if (options.CredentialFile.Length == 0)
        {
            return Credential.TryParse(options.Credential, out var configured) ? configured : null;
        }
        if (Credential.TryReadFile(options.CredentialFile, out var read, out var problem))
        {
            return _lastRead[options.CredentialFile] = read;
        }
        Log.Unreadable(logger, account, problem);
        return _lastRead.GetValueOrDefault(options.CredentialFile);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Credential file of account {Account}: {Problem}")]
        public static partial void Unreadable(ILogger logger, string account, string problem);
    }
}
