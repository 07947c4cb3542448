using System.Diagnostics.CodeAnalysis;
using Gateway.Jobs;

namespace Gateway.Caching;

/// <summary>
/// The cache key of a job. It contains the account, because a body that was fetched with one account's credential must
/// not be served to a team of another account.
/// </summary>
internal sealed record JobKey(string Account, JobAddress Address)
{
    /// <summary>
    /// The key in Redis, without prefix and suffix. The braces are a Redis Cluster hash tag, which puts all keys of one
    /// job into one slot.
    /// </summary>
    public string Name => $"{{{Account}/{Address.Workflow}/{Address.Job}}}";

    /// <summary>Parses a <see cref="Name"/>.</summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out JobKey? key)
    {
        key = name is ['{', .., '}'] && name[1..^1].Split('/') is [{ Length: > 0 } account, var workflow, var job]
            && JobAddress.TryCreate(workflow, job, out var address) ? new JobKey(account, address) : null;
        return key is not null;
    }
}
