namespace Gateway.HitCost;

/// <summary>The instructions of one request, by the method or library that they are in.</summary>
internal sealed record Instructions(IReadOnlyDictionary<string, long> ByPlace)
{
    private static readonly string[] Runtime = ["libcoreclr.so", "[vdso]", "VirtualDispatchHelpers::VirtualFunctionPointer"];

    /// <summary>
    /// All that are the same each time. How long the runtime looks for the code of a generic method, and whether in
    /// vain, is a matter of addresses, and how often the clock is read again one of time.
    /// </summary>
    public long Counted => ByPlace.Values.Sum() - InRuntime;

    /// <summary>Those that are not counted.</summary>
    public long InRuntime =>
        ByPlace.Where(of => Array.Exists(Runtime, name => of.Key.Contains(name, StringComparison.Ordinal))).Sum(of => of.Value);
}
