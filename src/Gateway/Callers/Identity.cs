using Gateway.Callers.Sessions;
using Gateway.Problems;

namespace Gateway.Callers;

/// <summary>The result of identification: the caller, or the reason why it is unknown.</summary>
/// <param name="Caller">The caller; null if it is unknown.</param>
/// <param name="Refusal">The reason why the caller is unknown.</param>
/// <param name="Session">The session of the caller, if it has one.</param>
/// <param name="RetryAfter">The time after which the caller may try again, if known.</param>
/// <param name="Claims">The claims of the caller's token, if it has one.</param>
internal readonly record struct Identity(
    Caller? Caller, Refusal Refusal, FoundSession Session = default, TimeSpan? RetryAfter = null,
    ClaimSet? Claims = null)
{
    /// <summary>The problem for an unknown caller.</summary>
    public Problem Problem
    {
        get
        {
            var problem = Challenge.For(Refusal);
            return RetryAfter is null ? problem : problem with { RetryAfter = RetryAfter };
        }
    }

    public static implicit operator Identity(Caller caller) => new(caller, Refusal.None);

    public static implicit operator Identity(Refusal refusal) => new(null, refusal);
}
