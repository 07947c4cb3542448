namespace Simulator.Jobs;

/// <summary>How a job differs from the documentation.</summary>
[Flags]
internal enum DriftForm
{
    None = 0,

    /// <summary>An undocumented field in each task.</summary>
    Field = 1,

    /// <summary>A cost that is text.</summary>
    Type = 2,

    /// <summary>No progress of the job.</summary>
    Missing = 4,

    /// <summary>An undocumented status word in each completed task.</summary>
    Status = 8,
}
