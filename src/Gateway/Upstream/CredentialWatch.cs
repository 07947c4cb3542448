namespace Gateway.Upstream;

/// <summary>
/// How the upstream takes the credentials of an account, as far as one node knows. It says aloud what somebody has to
/// look after; until somebody has, the node looks again by itself.
/// </summary>
internal sealed partial class CredentialWatch(string account, ILogger logger)
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(5);

    private int _isLookPlanned;

    public CredentialStanding Standing { get; private set; }

    /// <summary>Whether the next credential has taken over.</summary>
    public bool IsOnNext { get; private set; }

    /// <summary>Takes note of what all nodes together have seen.</summary>
    public void Note(CredentialStanding standing, bool isOnNext)
    {
        if (standing == CredentialStanding.Refused && Standing != standing) Log.Refused(logger, account);
        if (standing != CredentialStanding.Refused && Standing == CredentialStanding.Refused) Log.TakenAgain(logger, account);
        if (isOnNext && !IsOnNext) Log.OnNext(logger, account);
        (Standing, IsOnNext) = (standing, isOnNext);
    }

    /// <summary>Waits until it is time to look whether they are taken again.</summary>
    /// <returns>False: they are, or somebody waits already.</returns>
    public async ValueTask<bool> WaitForLookAsync()
    {
        if (Standing == CredentialStanding.Fine || Interlocked.Exchange(ref _isLookPlanned, 1) == 1) return false;
        await Task.Delay(BetweenLooks);
        Volatile.Write(ref _isLookPlanned, 0);
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Critical, "The upstream takes no credential of account {Account}: replace it")]
        public static partial void Refused(ILogger logger, string account);

        [LoggerMessage(LogLevel.Warning, "The upstream takes the credential of account {Account} no longer; the next one has taken over")]
        public static partial void OnNext(ILogger logger, string account);

        [LoggerMessage(LogLevel.Information, "The upstream takes a credential of account {Account} again")]
        public static partial void TakenAgain(ILogger logger, string account);
    }
}
