namespace Simulator;

/// <summary>The jobs whose state is set from outside, by job id.</summary>
internal sealed class Lives(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Life> _lives = [];

    /// <summary>Moves a job to a stage, from now on.</summary>
    public void Set(string jobId, LifeStage stage)
    {
        DateTimeOffset now = clock.GetUtcNow();
        lock (_lock)
        {
            Life? before = _lives.GetValueOrDefault(jobId);
            bool resultsFollow = before?.Stage == LifeStage.CompletedEarly && stage == LifeStage.Completed;
            _lives[jobId] = new Life(
                stage,
                Created: before is null || stage == LifeStage.Queued ? now : before.Created,
                Changed: now,
                Ended: stage switch
                {
                    LifeStage.Queued or LifeStage.Running or LifeStage.Gone => null,
                    _ when resultsFollow => before!.Ended,
                    _ => now,
                });
        }
    }

    public Life? Find(string jobId)
    {
        lock (_lock)
            return _lives.GetValueOrDefault(jobId);
    }

    public void Clear()
    {
        lock (_lock)
            _lives.Clear();
    }
}
