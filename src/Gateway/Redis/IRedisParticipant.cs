namespace Gateway.Redis;

/// <summary>
/// A part of the gateway that keeps state in Redis. <see cref="RedisWatch"/> calls it in the background, so that no
/// request has to find out what has changed. Each method may throw the exceptions of Redis.
/// </summary>
internal interface IRedisParticipant
{
    /// <summary>Raised when the participant needs a look before the regular time.</summary>
    event Action? WakeRequested
    {
        add { }
        remove { }
    }

    /// <summary>Reads changes of other nodes, and puts back what Redis has lost. Called at each look.</summary>
    /// <param name="wasAway">Whether Redis may have lost state that this node knows.</param>
    Task SyncAsync(bool wasAway) => Task.CompletedTask;

    /// <summary>Completes work that failed while Redis was away. Called when Redis is available.</summary>
    Task CatchUpAsync() => Task.CompletedTask;
}
