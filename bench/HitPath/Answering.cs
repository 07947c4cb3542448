using BenchmarkDotNet.Attributes;
using Gateway.Caching;
using Microsoft.AspNetCore.Http;

namespace Gateway.HitPath;

/// <summary>Steps 5 and 8 of the request path.</summary>
public class Answering
{
    private readonly Parts _parts = new();
    private readonly HttpContext _any = Parts.Request(),
        _brotli = Parts.Request(("Accept-Encoding", "gzip, deflate, br")), _revalidating;
    private readonly JobMemory _memory;
    private readonly JobSource _jobs;
    private readonly Pacing _pacing;
    private readonly CacheMetrics _lookups;
    private readonly RequestMetrics _requests;
    private readonly Lookup _hit;

    public Answering()
    {
        (_memory, _jobs, _pacing) = (_parts.Of<JobMemory>(), _parts.Of<JobSource>(), _parts.Of<Pacing>());
        (_lookups, _requests) = (_parts.Of<CacheMetrics>(), _parts.Of<RequestMetrics>());
        _hit = new Lookup.Hit(_parts.Finished);
        _revalidating = Parts.Request(("If-None-Match", _parts.Finished.Identity.ETag));
    }

    [Benchmark]
    public object? Find() => _memory.Find(_parts.FinishedKey);

    [Benchmark]
    public object? FindFresh() => _jobs.FindFresh(_parts.FinishedKey, Parts.Now);

    [Benchmark]
    public object Any() => ContentNegotiation.Wanted(_any.Request.Headers);

    [Benchmark]
    public object Brotli() => ContentNegotiation.Wanted(_brotli.Request.Headers);

    [Benchmark]
    public string? Status() => CacheStatus.Of(_hit, isShared: false, Parts.Now);

    [Benchmark]
    public ValueTask Headers() => Write(_any);

    [Benchmark]
    public ValueTask NotModified() => Write(_revalidating);

    [Benchmark]
    public void Metrics()
    {
        _lookups.Hit(_any, "measured");
        _requests.Answered("measured", "getJobById", StatusCodes.Status200OK);
    }

    [Benchmark]
    public TimeSpan NextPoll() => _pacing.NextPoll(_parts.RunningKey, _parts.Running, Parts.Now);

    private ValueTask Write(HttpContext http) =>
        new JobAnswer(_parts.Finished, _parts.Finished.Identity, "Gateway; hit; ttl=1", fromCache: true, Parts.Now)
            .WriteAsync(http);
}
