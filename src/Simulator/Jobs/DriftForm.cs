namespace Simulator.Jobs;

/// <summary>How a job departs from what is documented.</summary>
[Flags]
internal enum DriftForm
{
    None = 0,

    /// <summary>A field that nobody knows, in each task.</summary>
    Field = 1,

    /// <summary>A cost that is text.</summary>
    Type = 2,

    /// <summary>No progress of the job.</summary>
    Missing = 4,

    /// <summary>A status word that nobody knows, of each task that is done.</summary>
    Status = 8,
}
