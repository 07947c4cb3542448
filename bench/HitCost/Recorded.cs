namespace Gateway.HitCost;

/// <summary>
/// The recorded cost of a hit relative to a bare Kestrel that writes the same job. <c>bench/hit-cost</c> prints the
/// current values.
/// </summary>
internal static class Recorded
{
    /// <summary>Instructions as a multiple of the bare server's, for a hit in identity and in Brotli.</summary>
    public const double Identity = 3.067, Brotli = 3.027;

    /// <summary>Bytes allocated in addition to the bare server's.</summary>
    public const long BytesInIdentity = 304, BytesInBrotli = 304;
}
