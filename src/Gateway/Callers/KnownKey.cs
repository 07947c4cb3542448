namespace Gateway.Callers;

/// <summary>A gateway key that somebody has, and the sources that it came from of late.</summary>
/// <param name="before">The same key in the configuration before.</param>
internal sealed class KnownKey(Caller caller, KeyValidity validity, KnownKey? before)
{
    // Which of several sources a slot has is a matter of chance; it only decides who is served while a source guesses.
    private readonly int[] _sources = before?._sources ?? new int[8];

    public Caller Caller => caller;

    public KeyValidity Validity => validity;

    public bool WasUsedFrom(int source) => _sources[source & 7] == source;

    public void UsedFrom(int source)
    {
        ref var slot = ref _sources[source & 7];
        // Written only where it changes, for other cores read it.
        if (slot != source) slot = source;
    }
}
