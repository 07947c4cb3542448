namespace Gateway.Callers;

/// <summary>A configured gateway key, and the sources that have used it recently.</summary>
/// <param name="before">The same key in the previous configuration.</param>
internal sealed class KnownKey(Caller caller, KeyValidity validity, KnownKey? before)
{
    // Sources with the same slot replace each other. The slots only matter while a source is limited.
    private readonly int[] _sources = before?._sources ?? new int[8];

    public Caller Caller => caller;

    public KeyValidity Validity => validity;

    public bool WasUsedFrom(int source) => _sources[source & 7] == source;

    public void UsedFrom(int source)
    {
        ref var slot = ref _sources[source & 7];
        // Write only a change, because a write invalidates the cache line of other cores.
        if (slot != source) slot = source;
    }
}
