namespace Simulator.Jobs;

/// <summary>One task of every job.</summary>
/// <param name="Name">The name of the task.</param>
/// <param name="From">The position in the job, 0 to 1, at which the task begins.</param>
/// <param name="To">The position at which the task ends.</param>
/// <param name="Block">The processing block that does the work.</param>
/// <param name="Version">The block's version.</param>
/// <param name="Activity">The task's state message while it is in progress.</param>
/// <param name="DependsOn">The names of the tasks that must finish first.</param>
internal sealed record TaskPlan(
    string Name, double From, double To, string Block, string Version, string Activity, string[] DependsOn);

/// <summary>The workflow that every job runs: ingest, then two tasks side by side, then mosaic and publish.</summary>
internal static class Pipeline
{
    /// <summary>The position up to which the job is only queued.</summary>
    public const double Begins = 0.10;

    public static readonly IReadOnlyList<TaskPlan> Tasks =
    [
        new("ingest", Begins, 0.30, "Scene ingest", "2.4.1", "reading scenes", []),
        new("orthorectify", 0.30, 0.60, "Orthorectification", "3.1.0", "warping to the terrain model", ["ingest"]),
        new("cloud-mask", 0.30, 0.55, "Cloud and shadow mask", "1.9.3", "classifying pixels", ["ingest"]),
        new("mosaic", 0.60, 0.85, "Seamline mosaic", "4.0.2", "blending seamlines", ["orthorectify", "cloud-mask"]),
        new("publish", 0.85, 1.00, "Catalogue publish", "1.2.7", "writing overviews and items", ["mosaic"]),
    ];
}
