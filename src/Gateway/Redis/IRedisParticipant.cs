namespace Gateway.Redis;

/// <summary>
/// A part of the gateway that keeps something in Redis. <see cref="RedisWatch"/> calls it in the background, so that no
/// request has to find out what has changed. Each of these may throw what Redis throws.
/// </summary>
internal interface IRedisParticipant
{
    /// <summary>Raised when it does not want to wait for the next look.</summary>
    event Action? WakeRequested
    {
        add { }
        remove { }
    }

    /// <summary>Begins to listen to what other nodes tell; called at each look, before anything is read.</summary>
    Task SubscribeAsync() => Task.CompletedTask;

    /// <summary>Brings in what other nodes know, and puts back what Redis has lost; called at each look.</summary>
    /// <param name="wasAway">Whether Redis may have lost what this node knows.</param>
    Task SyncAsync(bool wasAway) => Task.CompletedTask;

    /// <summary>Does what could not be done while Redis was away; called once it is of use.</summary>
    Task CatchUpAsync() => Task.CompletedTask;
}
