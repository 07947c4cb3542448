using System.Collections.Immutable;

namespace Simulator;

/// <summary>
/// The accepted values of <c>Authorization</c>, compared verbatim and with case. Several values may be accepted at
/// once, and they may change while requests are running.
/// </summary>
internal sealed class Credentials
{
    /// <summary>The credential that is accepted by default.</summary>
    public const string Default = "simulated-upstream-credential";

    private ImmutableHashSet<string> _accepted;

    public Credentials(IEnumerable<string>? accepted = null) => _accepted = Set(accepted ?? [Default]);

    public void Accept(string credential) => ImmutableInterlocked.Update(ref _accepted, set => set.Add(credential));

    public void Retire(string credential) => ImmutableInterlocked.Update(ref _accepted, set => set.Remove(credential));

    /// <summary>Accepts exactly these credentials from now on. The change is atomic.</summary>
    public void Replace(IEnumerable<string> accepted) => Volatile.Write(ref _accepted, Set(accepted));

    public bool IsAccepted(string? credential) =>
        credential is not null && Volatile.Read(ref _accepted).Contains(credential);

    private static ImmutableHashSet<string> Set(IEnumerable<string> values) =>
        ImmutableHashSet.CreateRange(StringComparer.Ordinal, values);
}
