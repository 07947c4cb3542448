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

/// <summary>
/// The workflows of jobs. The usual one is ingest, then two tasks side by side, then mosaic and publish. The wide one
/// has a dozen tasks. In both, only the mosaic task is under way at the position at which a job fails.
/// </summary>
internal static class Pipeline
{
    /// <summary>The position up to which the job is only queued.</summary>
    public const double Begins = 0.10;

    private static readonly IReadOnlyList<TaskPlan> Usual =
    [
        new("ingest", Begins, 0.30, "Scene ingest", "2.4.1", "reading scenes", []),
        new("orthorectify", 0.30, 0.60, "Orthorectification", "3.1.0", "warping to the terrain model", ["ingest"]),
        new("cloud-mask", 0.30, 0.55, "Cloud and shadow mask", "1.9.3", "classifying pixels", ["ingest"]),
        new("mosaic", 0.60, 0.85, "Seamline mosaic", "4.0.2", "blending seamlines", ["orthorectify", "cloud-mask"]),
        new("publish", 0.85, 1.00, "Catalogue publish", "1.2.7", "writing overviews and items", ["mosaic"]),
    ];

    private static readonly IReadOnlyList<TaskPlan> Wide =
    [
        new("ingest", Begins, 0.18, "Scene ingest", "2.4.1", "reading scenes", []),
        new("metadata-check", 0.18, 0.22, "Metadata check", "1.0.4", "comparing footprints", ["ingest"]),
        new("radiometry", 0.18, 0.30, "Radiometric correction", "2.0.0", "calibrating bands", ["ingest"]),
        new("orthorectify", 0.30, 0.58, "Orthorectification", "3.1.0", "warping to the terrain model", ["radiometry"]),
        new("cloud-mask", 0.30, 0.40, "Cloud mask", "1.9.3", "classifying pixels", ["radiometry"]),
        new("shadow-mask", 0.40, 0.50, "Shadow mask", "1.9.3", "projecting clouds", ["cloud-mask"]),
        new("co-register", 0.58, 0.66, "Co-registration", "0.8.2", "matching tie points",
            ["orthorectify", "metadata-check"]),
        new("mosaic", 0.66, 0.84, "Seamline mosaic", "4.0.2", "blending seamlines", ["co-register", "shadow-mask"]),
        new("vegetation-index", 0.84, 0.90, "Band arithmetic", "1.3.0", "computing NDVI", ["mosaic"]),
        new("change-detection", 0.84, 0.95, "Change detection", "0.5.1", "comparing with last season",
            ["mosaic", "cloud-mask"]),
        new("tile-pyramid", 0.84, 0.92, "Tile pyramid", "2.2.0", "writing overviews", ["mosaic"]),
        new("publish", 0.95, 1.00, "Catalogue publish", "1.2.7", "writing items",
            ["vegetation-index", "change-detection", "tile-pyramid"]),
    ];

    public static IReadOnlyList<TaskPlan> Of(JobShape shape) => shape.Wide ? Wide : Usual;
}
