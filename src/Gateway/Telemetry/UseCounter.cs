using System.Collections.Concurrent;

namespace Gateway.Telemetry;

/// <summary>What a team or a key has used.</summary>
/// <param name="Requests">Answered requests.</param>
/// <param name="Permits">Permits taken from the quotas of the team: one for each job or stream.</param>
/// <param name="Refused">Refusals by a quota.</param>
/// <param name="Calls">Calls to the upstream.</param>
internal readonly record struct UseCount(long Requests, long Permits, long Refused, long Calls)
{
    public static UseCount operator +(UseCount one, UseCount other) => new(
        one.Requests + other.Requests, one.Permits + other.Permits, one.Refused + other.Refused,
        one.Calls + other.Calls);

    public static UseCount operator -(UseCount one, UseCount other) => new(
        one.Requests - other.Requests, one.Permits - other.Permits, one.Refused - other.Refused,
        one.Calls - other.Calls);
}

/// <summary>Counts what a key uses, or what a team uses without a key: by tokens, sessions and polls.</summary>
/// <param name="name">The name, as <see cref="UseCounters.NameOf"/> returns it.</param>
internal sealed class UseCounter(string name)
{
    private readonly Tally _hits = new();
    private long _requests, _permits, _refused, _calls;

    public string Name => name;

    public UseCount Count
    {
        get
        {
            var hits = _hits.Count;
            return new(hits + Interlocked.Read(ref _requests), hits + Interlocked.Read(ref _permits),
                Interlocked.Read(ref _refused), Interlocked.Read(ref _calls));
        }
    }

    /// <summary>Counts a request that took one permit and was answered from memory.</summary>
    public void Hit() => _hits.Increment();

    public void Answered() => Interlocked.Increment(ref _requests);

    public void AskedForPermit(bool isGranted) => Interlocked.Increment(ref isGranted ? ref _permits : ref _refused);

    public void Called() => Interlocked.Increment(ref _calls);
}

/// <summary>
/// The counters of all teams and keys that were ever configured while the node runs. A counter survives changes of the
/// configuration: callers of the earlier one may still use it.
/// </summary>
internal sealed class UseCounters
{
    private readonly ConcurrentDictionary<string, UseCounter> _all = new(StringComparer.Ordinal);

    public IEnumerable<UseCounter> All => _all.Values;

    /// <summary>Names a counter: the id of the key, a space, and the team. A key's id has no space.</summary>
    /// <param name="team">The team in any case; empty for an operator.</param>
    /// <param name="key">The id of the key; empty for the use of the team without a key.</param>
    public static string NameOf(string team, string key) => $"{key} {team.ToLowerInvariant()}";

    public UseCounter Of(string team, string key = "") =>
        _all.GetOrAdd(NameOf(team, key), name => new UseCounter(name));
}
