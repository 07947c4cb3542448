using Gateway.Problems;
using Gateway.Upstream;

namespace Gateway.Admin;

/// <summary>The problem types of operations for operators.</summary>
internal static class AdminProblems
{
    public static readonly ProblemType PurgeIncomplete = new("purge-incomplete", 503,
        "The purge is not complete", "Repeat the purge when Redis is back; a purge may be repeated at any time.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType UnknownAccount = new("account-not-configured", 404,
        "No such account", "Name an account of Upstream:Accounts.")
    { Scope = ProblemScope.None };

    public static readonly ProblemType[] All =
    [
        PurgeIncomplete, UnknownAccount,
    ];

    /// <returns>Null if the account is configured.</returns>
    public static Problem? CheckAccount(string account, UpstreamOptions upstream) =>
        upstream.Accounts.ContainsKey(account) ? null
            : new Problem(UnknownAccount, $"No account '{account}' is configured.");
}
