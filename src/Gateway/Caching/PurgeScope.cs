using System.Diagnostics.CodeAnalysis;

namespace Gateway.Caching;

/// <summary>The scope of a purge: everything, or one account, workflow or job. An empty part means all.</summary>
/// <param name="IsSoft">Whether the purge makes jobs stale and does not remove them.</param>
internal sealed record PurgeScope(string Account = "", string Workflow = "", string Job = "", bool IsSoft = false)
{
    /// <summary>The beginning of the <see cref="Name"/> of a soft purge. No account has such a name.</summary>
    public const string Soft = "soft:";

    /// <summary><c>*</c>, <c>account</c>, <c>account/workflow</c> or <c>account/workflow/job</c>.</summary>
    public string Target => Account.Length == 0 ? "*" : string.Join('/', Parts);

    /// <summary>
    /// The name of the purge in Redis: the <see cref="Target"/>, after <see cref="Soft"/> if it is soft.
    /// </summary>
    public string Name => IsSoft ? Soft + Target : Target;

    /// <summary>The prefix of the Redis names of all jobs in the scope.</summary>
    public string NamePrefix =>
        Account.Length == 0 ? "{" : Job.Length > 0 ? $"{{{Target}}}" : $"{{{Target}/";

    private IEnumerable<string> Parts => new[] { Account, Workflow, Job }.TakeWhile(part => part.Length > 0);

    public static bool TryParse(string name, [NotNullWhen(true)] out PurgeScope? scope)
    {
        var isSoft = name.StartsWith(Soft, StringComparison.Ordinal);
        if (isSoft) name = name[Soft.Length..];
        scope = name == "*" ? new PurgeScope() : name.Split('/') switch
        {
            [{ Length: > 0 } account] => new PurgeScope(account),
            [{ Length: > 0 } account, { Length: > 0 } workflow] => new PurgeScope(account, workflow),
            [{ Length: > 0 } account, { Length: > 0 } workflow, { Length: > 0 } job] =>
                new PurgeScope(account, workflow, job),
            _ => null,
        };
        if (isSoft && scope is not null) scope = scope with { IsSoft = true };
        return scope is not null;
    }

    public bool Covers(JobKey key) =>
        (Account.Length == 0 || Account == key.Account)
        && (Workflow.Length == 0 || Workflow == key.Address.Workflow)
        && (Job.Length == 0 || Job == key.Address.Job);
}
