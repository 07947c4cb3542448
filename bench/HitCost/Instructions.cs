namespace Gateway.HitCost;

/// <summary>The instructions of one request, by method or library.</summary>
internal sealed record Instructions(IReadOnlyDictionary<string, long> ByPlace)
{
    private static readonly string[] Runtime =
        ["libcoreclr.so", "[vdso]", "VirtualDispatchHelpers::VirtualFunctionPointer"];

    /// <summary>
    /// The instructions that are the same each time. The runtime's search for generic code depends on addresses, and
    /// the reading of the clock on time, so both are excluded.
    /// </summary>
    public long Counted => ByPlace.Values.Sum() - InRuntime;

    /// <summary>The excluded instructions of the runtime.</summary>
    public long InRuntime =>
        ByPlace.Where(of => Array.Exists(Runtime, name => of.Key.Contains(name, StringComparison.Ordinal)))
            .Sum(of => of.Value);
}
