using System.Diagnostics.CodeAnalysis;
using Gateway.Jobs;

namespace Gateway.Caching;

/// <summary>
/// What a job is filed under. The account comes first: bodies fetched with one credential are nobody else's.
/// </summary>
internal sealed record JobKey(string Account, JobAddress Address)
{
    /// <summary>
    /// Its name in Redis. The braces are a Redis Cluster hash tag: all that belongs to one job lives in one slot.
    /// </summary>
    public string Name => $"{{{Account}/{Address.Workflow}/{Address.Job}}}";

    /// <summary>Reads <see cref="Name"/>.</summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out JobKey? key)
    {
        key = name is ['{', .., '}'] && name[1..^1].Split('/') is [{ Length: > 0 } account, var workflow, var job]
            && JobAddress.TryCreate(workflow, job, out var address) ? new JobKey(account, address) : null;
        return key is not null;
    }
}
