using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>Everyone who may use <c>/admin</c>. An operator's key reads no jobs, and a team's key operates nothing.</summary>
internal sealed class OperatorDirectory(LiveConfiguration configuration, CallerDirectory callers, TimeProvider clock)
{
    /// <summary>The id of the operator's key that this request carries.</summary>
    /// <param name="refusal">Why there is none; <see cref="Refusal.None"/>: it carries a team's key.</param>
    public string? Identify(IHeaderDictionary headers, out Refusal refusal)
    {
        if (PresentedCredential.Find(headers, out var key) == Presented.Key && key.Length <= KeyHash.MaxKeyLength)
        {
            var presented = KeyHash.Of(key);
            foreach (var known in configuration.Current.Operators.ApiKeys)
            {
                if (!KeyHash.TryParse(known.Sha256, out var hash) || !hash.Value.Equals(presented)) continue;
                refusal = known.Validity.At(clock.GetUtcNow());
                return refusal == Refusal.None ? known.Id : null;
            }
        }
        callers.Identify(headers, out refusal);
        return null;
    }
}
