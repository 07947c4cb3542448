namespace Gateway.Upstream;

/// <content>The log messages about an account.</content>
internal sealed partial class AccountGate
{
    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "Account {Account}: the exchange of permits failed; the node tries again")]
        public static partial void Failed(ILogger logger, string account, Exception failure);

        [LoggerMessage(LogLevel.Critical, "The upstream accepts no credential of account {Account}: replace it")]
        public static partial void Refused(ILogger logger, string account);

        [LoggerMessage(LogLevel.Warning,
            "The upstream no longer accepts the credential of account {Account}; the next credential is in use")]
        public static partial void OnNext(ILogger logger, string account);

        [LoggerMessage(LogLevel.Information, "The upstream accepts a credential of account {Account} again")]
        public static partial void AcceptedAgain(ILogger logger, string account);
    }
}
