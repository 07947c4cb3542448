using Gateway.SideBySide.Load;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Measuring;

/// <summary>A peer under one kind of load.</summary>
/// <param name="Name">The name in the table.</param>
/// <param name="LoadAsync">Runs the load for a number of seconds.</param>
internal sealed record Contestant(string Name, Peer Peer, Probe Probe, Func<int, Task<Found>> LoadAsync)
{
    /// <summary>True if the peer may call the upstream during a run.</summary>
    public bool MayAskUpstream { get; init; }

    /// <summary>Prepares a run; this is not measured.</summary>
    public Func<Task>? PrepareAsync { get; init; }

    /// <summary>Adds further figures from the load's result, the upstream calls and the Redis time.</summary>
    public Action<Sample, Found, long, TimeSpan>? Also { get; init; }

    /// <summary>The Redis whose processor time is reported separately.</summary>
    public Child? Redis { get; init; }
}
