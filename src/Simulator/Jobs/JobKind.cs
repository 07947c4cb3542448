namespace Simulator.Jobs;

/// <summary>What becomes of a job: the first word of its id. <see cref="JobScript"/> says what each means.</summary>
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
