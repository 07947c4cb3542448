using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Contract;

/// <summary>The requests that programs with a generated client make, one for each kind of answer.</summary>
internal static class ClientScenario
{
    /// <summary>
    /// A finished job, the same job again with the entity tag of the first answer, a running job, a job that the
    /// upstream forbids, one of a workflow that the team may not read, one that does not exist, and one after the
    /// team's quota is used up.
    /// </summary>
    public static string[] Jobs { get; } =
    [
        "survey-1/finished-1", "survey-1/finished-1", "survey-1/run-300", "survey-1/forbidden", "other/finished-1",
        "survey-1/missing", "survey-1/finished-2",
    ];

    /// <summary>What each program prints: the fields of a job, or a problem, and whether it has Retry-After.</summary>
    public static string Said { get; } = string.Join('\n',
        "survey-1/finished-1: completed tasks=5 estimate=540 again=false",
        "survey-1/finished-1: unchanged",
        "survey-1/run-300: queued tasks=5 estimate=300 again=true",
        Problem("survey-1/forbidden", "403 /problems/upstream-forbidden", "The upstream answered 403."),
        Problem("other/finished-1", "403 /problems/workflow-forbidden", "Team 'survey' may not read this workflow."),
        Problem("survey-1/missing", "404 /problems/job-not-found", "The upstream knows no such job in this workflow."),
        Problem("survey-1/finished-2", "429 https://iana.org/assignments/http-problem-types#quota-exceeded",
            "Team 'survey' has used up its quota 'few'.", policies: "few", again: "true"));

    private static string Problem(
        string job, string type, string detail, string policies = "", string again = "false") =>
        $"{job}: {type} \"{detail}\" policies={policies} again={again}";

    /// <summary>Starts a gateway that allows team survey five requests.</summary>
    public static Task<World> StartAsync() => World.StartAsync(("Teams:survey:Quota", "few"),
        ("Quotas:few:Requests", "1"), ("Quotas:few:Window", "01:00:00"), ("Quotas:few:Burst", "5"));

    /// <summary>Saves a document of the gateway in a folder, and returns the path of the file.</summary>
    public static async Task<string> SaveContractAsync(this World world, string folder, string path)
    {
        using var client = world.Gateway.Client();
        var file = Path.Combine(folder, $"contract{Path.GetExtension(path)}");
        await File.WriteAllBytesAsync(file,
            await client.GetByteArrayAsync(new Uri(path, UriKind.Relative), World.Cancellation), World.Cancellation);
        return file;
    }
}
