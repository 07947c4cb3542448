using Gateway.SideBySide.Load;
using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide.Measuring;

/// <summary>A peer under one kind of load.</summary>
/// <param name="Name">As the table has it.</param>
/// <param name="LoadAsync">Asks for so many seconds.</param>
internal sealed record Contestant(string Name, Peer Peer, Probe Probe, Func<int, Task<Found>> LoadAsync)
{
    /// <summary>Whether it may ask the upstream during a run.</summary>
    public bool MayAskUpstream { get; init; }

    /// <summary>What is to be there before a run, and does not count.</summary>
    public Func<Task>? PrepareAsync { get; init; }

    /// <summary>What else a run tells, of the load, the upstream's calls and Redis's time.</summary>
    public Action<Sample, Found, long, TimeSpan>? Also { get; init; }

    /// <summary>The Redis whose time is told apart.</summary>
    public Child? Redis { get; init; }
}
