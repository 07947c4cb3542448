namespace Simulator.Jobs;

/// <summary>
/// Computes the state of a job from its id and the time since the first request for it.
/// <code>
/// id = kind[-N][-anything][.modifier]*
///
/// kind         answer
/// ------------ --------------------------------------------------------------------------------
/// finished     completed a minute before the first request
/// run-N        queued, then running, then completed after N seconds (30)
/// fail-N       failed after N seconds (0: at once), with val_errors, err_msg and failure_type
/// cancel-N     cancelled after N seconds (0: at once)
/// stuck-N      never ends: progress 99 after N seconds (30), 100 after twice that, never finished_at
/// late-N       404 for N seconds (3), then completed
/// missing      404, as for every other word
/// forbidden    403
/// bad          400
///
/// modifier                             effect
/// ------------------------------------ --------------------------------------------------------
/// large, size-N                        a body of about 4 MB, or N KB; default: about 6 KB
/// raw-ints -object -objects -base64 -null   the form of spec, info_logs, inputs and result; default: a mixture
/// time-z -offset -fraction -space      the form of timestamps; default: z
/// progress-percent -decimal            "45%" or "45.0"; default: "45"
/// status-WORD                          WORD, verbatim, as the final status
/// signed-N                             results hold URLs that are signed at the first request and work for N seconds
/// escaped                              &amp; and similar characters are escaped, as \u0026
/// coded-WORD                           the body in that coding: gzip, deflate or br; any other is only in the header
/// accepted                             202 until the job has ended
/// retry-N                              Retry-After: N until the job has ended
/// nameless                             neither id nor workflow_id
/// unfinished                           a final status with an empty finished_at
/// wide                                 a dozen tasks
/// again-N                              starts again N seconds after its end, for kinds with an N above 0
/// drift-field -type -missing -status   differs from the documentation; see <see cref="DriftForm"/>
/// </code>
/// Progress changes once a second, so two answers within a second are equal. A finished job never changes.
/// </summary>
internal static class JobScript
{
    private static readonly TimeSpan UsualLength = TimeSpan.FromMinutes(9);
    private static readonly TimeSpan FinishedEarlier = TimeSpan.FromMinutes(1);

    /// <summary>The position at which a job fails or is cancelled: at 80% of the mosaic task.</summary>
    private const double BreaksAt = 0.80;

    /// <summary>The position at which a stuck job stays: in the publish task, at a progress of 99.</summary>
    private const double SticksAt = 0.995;

    public static JobState At(JobName job, TimeSpan elapsed)
    {
        elapsed = TimeSpan.FromSeconds(Math.Max(0, Math.Floor(elapsed.TotalSeconds)));
        TimeSpan end = TimeSpan.FromSeconds(job.Seconds);
        TimeSpan start = job.Seconds > 0 ? TimeSpan.Zero : -UsualLength;
        if (job is { Shape.AgainSeconds: int pause, Seconds: > 0 })
        {
            TimeSpan cycle = end + TimeSpan.FromSeconds(pause);
            start = cycle * Math.Floor(elapsed / cycle);
            end += start;
        }

        return job.Kind switch
        {
            JobKind.Finished =>
                Play(job, new Course(-FinishedEarlier - UsualLength, -FinishedEarlier, 1.0, "completed"), elapsed),
            JobKind.Run => Play(job, new Course(start, end, 1.0, "completed"), elapsed),
            JobKind.Fail => Play(job, new Course(start, end, BreaksAt, "failed"), elapsed),
            JobKind.Cancel => Play(job, new Course(start, end, BreaksAt, "cancelled"), elapsed),
            JobKind.Stuck => Stick(Play(job, new Course(start, end, SticksAt, null), elapsed), end * 2, elapsed),
            JobKind.Late when elapsed >= end => Play(job, new Course(start, end, 1.0, "completed"), elapsed),
            JobKind.Forbidden => new JobState { HttpStatus = 403 },
            JobKind.Bad => new JobState { HttpStatus = 400 },
            _ => new JobState { HttpStatus = 404 },
        };
    }

    /// <summary>Computes the state of a job that is set from outside.</summary>
    public static JobState Of(JobName job, Life life, DateTimeOffset firstAsked)
    {
        TimeSpan created = life.Created - firstAsked;
        TimeSpan changed = life.Changed - firstAsked;
        TimeSpan ended = (life.Ended ?? life.Changed) - firstAsked;
        return life.Stage switch
        {
            LifeStage.Queued => Play(job, new Course(changed, changed + UsualLength, 1.0, null), changed),
            LifeStage.Running =>
                Play(job, new Course(changed - UsualLength, changed + UsualLength, 1.0, null), changed),
            LifeStage.Failed => Play(job, new Course(created, ended, BreaksAt, "failed"), ended),
            LifeStage.Cancelled => Play(job, new Course(created, ended, BreaksAt, "cancelled"), ended),
            LifeStage.Gone => new JobState { HttpStatus = 404 },
            _ => Play(job, new Course(created, ended, 1.0, "completed"), ended) with
            {
                ResultsPending = life.Stage == LifeStage.CompletedEarly,
            },
        };
    }

    private static JobState Play(JobName job, Course course, TimeSpan elapsed)
    {
        bool ended = course.Ending is not null && elapsed >= course.End;
        double position = course.PositionAt(elapsed);
        double progress = Math.Floor(100 * (position - Pipeline.Begins) / (1 - Pipeline.Begins));
        return new JobState
        {
            Status =
                ended ? job.Shape.FinalStatus ?? course.Ending!
                : position < Pipeline.Begins ? "queued"
                : "running",
            Progress = (int)Math.Clamp(progress, 0, 100),
            Failed = ended && course.Ending == "failed",
            Created = course.Start,
            Updated = ended ? course.End : elapsed,
            Finished = ended && !job.Shape.Unfinished ? course.End : null,
            Estimate = course.End - course.Start,
            Tasks = [.. Pipeline.Of(job.Shape).Select(plan => TaskAt(plan, course, position, ended))],
        };
    }

    private static TaskState TaskAt(TaskPlan plan, Course course, double position, bool ended)
    {
        if (position < plan.From)
            return new TaskState(plan, ended && course.Ending == "cancelled" ? "cancelled" : "created", 0, null, null);
        if (position >= plan.To)
            return new TaskState(plan, "completed", 100, course.TimeOf(plan.From), course.TimeOf(plan.To));

        double progress = Math.Round(100 * (position - plan.From) / (plan.To - plan.From), 1);
        return ended
            ? new TaskState(plan, course.Ending!, progress, course.TimeOf(plan.From), course.End)
            : new TaskState(plan, "inprogress", progress, course.TimeOf(plan.From), null);
    }

    /// <summary>A stuck job reports a progress of 100 once, and never changes again.</summary>
    private static JobState Stick(JobState state, TimeSpan lastReport, TimeSpan elapsed) => elapsed < lastReport
        ? state
        : state with { Progress = 100, Updated = lastReport };

    /// <summary>A steady course through the pipeline up to <paramref name="Reach"/>, between two times.</summary>
    private readonly record struct Course(TimeSpan Start, TimeSpan End, double Reach, string? Ending)
    {
        // At the end, return Reach itself, so that there is no rounding error.
        public double PositionAt(TimeSpan elapsed) =>
            elapsed >= End ? Reach : Reach * ((elapsed - Start) / (End - Start));

        public TimeSpan TimeOf(double position) => Start + ((End - Start) * (position / Reach));
    }
}
