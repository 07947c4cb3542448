namespace Simulator.Jobs;

/// <summary>The kind of a job: the first word of its id. <see cref="JobScript"/> describes the kinds.</summary>
internal enum JobKind
{
    Missing,
    Finished,
    Run,
    Fail,
    Cancel,
    Stuck,
    Late,
    Forbidden,
    Bad,
}
