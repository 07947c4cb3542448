namespace Gateway.HitCost;

/// <summary>
/// What a hit costs beside a bare Kestrel that writes the same job. <c>bench/hit-cost</c> prints what belongs here.
/// </summary>
internal static class Recorded
{
    /// <summary>Instructions, as a multiple of the bare one's: of a hit in identity, and in Brotli.</summary>
    public const double Identity = 3.08, Brotli = 3.04;

    /// <summary>Bytes allocated above the bare one.</summary>
    public const long BytesInIdentity = 304, BytesInBrotli = 304;
}
