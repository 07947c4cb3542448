using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Problems;
using Gateway.Runtime;
using Gateway.Upstream;
using Gateway.Watching;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// <c>GET /admin/jobs/{account}/{workflow}/{job}</c>: explains what a request for a job gets, for operators. It fetches
/// nothing and changes nothing.
/// </summary>
internal sealed class JobReportEndpoint(
    OperatorGate gate, JobInspector inspector, WatchedJobs watched, IOptionsMonitor<UpstreamOptions> upstream,
    IOptionsMonitor<JobsOptions> options, SteadyClock clock)
{
    public static void Map(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<JobReportEndpoint>();
        app.MapGet("/admin/jobs/{account}/{workflow}/{job}", endpoint.AnswerAsync).ExcludeFromDescription();
    }

    private Task AnswerAsync(HttpContext http, string account, string workflow, string job) =>
        gate.AnswerAsync(http, "read-job", $"{account}/{workflow}/{job}",
            _ => ExplainAsync(account.ToLowerInvariant(), workflow, job));

    private async Task<IAnswer> ExplainAsync(string account, string workflow, string job)
    {
        if (!JobAddress.TryCreate(workflow, job, out var address))
        {
            return new Problem(JobProblems.InvalidIdentifier, JobAddress.Form);
        }
        if (AdminProblems.CheckAccount(account, upstream.CurrentValue) is { } unknown) return unknown;
        var key = new JobKey(account, address);
        var found = await inspector.InspectAsync(key);
        return new JsonAnswer(new JobReport(found, watched.Find(key), options.CurrentValue, clock).Body());
    }
}
