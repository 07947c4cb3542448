using Gateway.Callers.Sessions;
using Gateway.Problems;

namespace Gateway.Callers;

/// <summary>Who is asking, or why that is not known.</summary>
/// <param name="Caller">Null: it is not known.</param>
/// <param name="Refusal">Why.</param>
/// <param name="Session">The session that says so, where one does.</param>
/// <param name="RetryAfter">When to come back, where this is known.</param>
internal readonly record struct Identity(Caller? Caller, Refusal Refusal, FoundSession Session = default, TimeSpan? RetryAfter = null)
{
    /// <summary>What the request is told where it is not known.</summary>
    public Problem Problem => RetryAfter is null ? Challenge.For(Refusal) : Challenge.For(Refusal) with { RetryAfter = RetryAfter };

    public static implicit operator Identity(Caller caller) => new(caller, Refusal.None);

    public static implicit operator Identity(Refusal refusal) => new(null, refusal);
}
