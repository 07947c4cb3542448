using BenchmarkDotNet.Attributes;
using Gateway.Callers;
using Gateway.Jobs;
using Gateway.Limits;
using Microsoft.AspNetCore.Http;

namespace Gateway.HitPath;

/// <summary>Steps 1 to 4 of the request path.</summary>
public class Admitting
{
    private readonly Parts _parts = new();
    private readonly IHeaderDictionary _headers = Parts.Request().Request.Headers;
    private readonly IHeaderDictionary _answer = new HeaderDictionary();
    private readonly string _workflow = "survey-1", _job = "job-7", _foreign = GatewayKey.Create();
    private readonly CallerDirectory _callers;
    private readonly WorkflowRules _rules = new(["harvest", "survey-*"]);
    private readonly Quota[] _quotas;

    public Admitting() => (_callers, _quotas) = (_parts.Of<CallerDirectory>(), _parts.Quotas);

    [Benchmark]
    public bool Address() => JobAddress.TryCreate(_workflow, _job, out _);

    [Benchmark]
    public int Credential() => (int)PresentedCredential.Find(_headers, cookie: null, out _);

    [Benchmark]
    public object? KnownKey() => _callers.Find(Parts.Key);

    [Benchmark]
    public object? UnknownKey() => _callers.Find(_foreign);

    [Benchmark]
    public bool Workflow() => _rules.Allow(_workflow);

    /// <summary>Takes a permit and returns it, because the quota would otherwise run out.</summary>
    [Benchmark]
    public bool Permit()
    {
        var taking = _quotas[0].TakeAsync();
        _quotas[0].Return();
        return taking.IsCompletedSuccessfully;
    }

    [Benchmark]
    public void RateLimit() => RateLimitFields.Write(_answer, _quotas);
}
