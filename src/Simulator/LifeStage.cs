namespace Simulator;

/// <summary>The stage of a job whose state is set from outside.</summary>
internal enum LifeStage
{
    Queued,
    Running,

    /// <summary>Completed, with its results.</summary>
    Completed,

    /// <summary>Completed and ended, but its tasks have no results yet.</summary>
    CompletedEarly,
    Failed,
    Cancelled,

    /// <summary>404.</summary>
    Gone,
}
