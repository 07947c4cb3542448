using Gateway.Caching;
using Gateway.Callers;
using Gateway.HitCost;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;

namespace Gateway.HitPath;

/// <summary>
/// The services of one gateway that does not listen, with a finished and a running job in its memory.
/// </summary>
internal sealed class Parts
{
    private readonly IServiceProvider _services;

    public Parts()
    {
        _services = Gateway.Program.Build([], new()
        {
            ["ConnectionStrings:Redis"] = "",
            ["Management:Port"] = "0",
            ["Upstream:Accounts:default:Credential"] = "never-sent",
            ["Upstream:Accounts:default:CredentialFile"] = "",
            ["Authentication:Jwt:Authority"] = "",
            ["Authentication:Oidc:Authority"] = "",
            ["Teams:measured:Account"] = "default",
            ["Teams:measured:Workflows:0"] = "survey-*",
            ["Teams:measured:Quota"] = "ample",
            ["Teams:measured:ApiKeys:0:Id"] = "measured",
            ["Teams:measured:ApiKeys:0:Sha256"] = KeyHash.Of(Key).ToString(),
            ["Quotas:ample:Requests"] = "10000000",
            ["Quotas:ample:Window"] = "00:00:01",
            ["Quotas:ample:Burst"] = "10000000",
        }).Services;
        // Metrics without a reader cost nothing, so one is created.
        _services.GetRequiredService<MeterProvider>();
        Caller = Of<CallerDirectory>().Find(Key)!.Caller;
        var memory = Of<JobMemory>();
        memory.Keep(FinishedKey, Finished = Snapshot(Answer));
        memory.Keep(RunningKey, Running = Snapshot(RunningAnswer));
    }

    public static string Key { get; } = GatewayKey.Create();

    public static DateTimeOffset Now { get; } = DateTimeOffset.UtcNow;

    public static JobsOptions Options { get; } = new();

    public static UpstreamAnswer Answer { get; } = new(200, SampleJob.Bytes, null, UpstreamFault.None);

    public static JobAddress Address { get; } = JobAddress.TryCreate("survey-1", "job-7", out var address)
        ? address : default;

    public JobKey FinishedKey { get; } = new("default", Address);

    public JobKey RunningKey { get; } = new(
        "default", JobAddress.TryCreate("survey-1", "job-8", out var address) ? address : default);

    public JobSnapshot Finished { get; }

    public JobSnapshot Running { get; }

    public Caller Caller { get; }

    public Quota[] Quotas => Caller.QuotasOf(Caller.Teams[0]);

    private static UpstreamAnswer RunningAnswer { get; } = new(200, """
        {"id":"job-8","workflow_id":"survey-1","status":"running","progress":"45","created_at":"2026-05-04T12:00:00Z"}
        """u8.ToArray(), null, UpstreamFault.None);

    public T Of<T>() where T : notnull => _services.GetRequiredService<T>();

    /// <summary>A request for the finished job, without reading its body.</summary>
    public static DefaultHttpContext Request(params (string Name, string Value)[] headers)
    {
        var http = new DefaultHttpContext();
        http.Request.Method = HttpMethods.Head;
        http.Request.Headers["X-Api-Key"] = Key;
        foreach (var (name, value) in headers) http.Request.Headers[name] = value;
        return http;
    }

    private static JobSnapshot Snapshot(UpstreamAnswer answer)
    {
        var verdict = UpstreamVerdict.Of(
            answer, Address, new JobsOptions { VerifyIds = false, RunningLifetime = TimeSpan.FromHours(1) }, Now, Now);
        return JobSnapshot.From(answer.Body, verdict, order: 1, Now);
    }
}
