using BenchmarkDotNet.Attributes;
using Gateway.Caching;
using Gateway.HitCost;
using Gateway.Upstream;

namespace Gateway.HitPath;

/// <summary>
/// Step 7 of the request path, and its preparation for hits: runs once for each answer of the upstream.
/// </summary>
public class Storing
{
    private readonly Parts _parts = new();
    private readonly Representation _identity = new(ContentCoding.Identity, SampleJob.Bytes);
    private readonly byte[] _stored;
    private readonly UpstreamAnswer _answer = Parts.Answer;

    public Storing() => _stored = Write();

    [Benchmark]
    public int Classify() => (int)UpstreamVerdict.Of(_answer, Parts.Address, Parts.Options, Parts.Now, Parts.Now).Kind;

    /// <summary>For a job that may change.</summary>
    [Benchmark]
    public object? Brotli() => _identity.Encoded(ContentCoding.Brotli, thorough: false);

    /// <summary>For a finished job.</summary>
    [Benchmark]
    public object? BrotliThoroughly() => _identity.Encoded(ContentCoding.Brotli, thorough: true);

    /// <summary>For a finished job.</summary>
    [Benchmark]
    public object? GzipThoroughly() => _identity.Encoded(ContentCoding.Gzip, thorough: true);

    [Benchmark]
    public byte[] Write() => SnapshotEnvelope.Write(_parts.Finished, _parts.FinishedKey.Name);

    [Benchmark]
    public object? Read() => SnapshotEnvelope.Read(_stored, _parts.FinishedKey.Name, out _);
}
