using Gateway.Configuration;

namespace Gateway.Jobs;

/// <summary>What finishes a job, and how long each answer is kept.</summary>
internal sealed class JobsOptions
{
    private static readonly string[] DefaultFinished = ["completed", "success", "succeeded", "fulfilled"];
    private static readonly string[] DefaultFailed = ["failed", "failure", "error", "cancelled", "canceled", "expired"];
    private static readonly string[] DefaultRunning = ["created", "queued", "pending", "started", "running", "inprogress", "in_progress"];

    /// <summary>
    /// Status words, in any case, that mean success. Empty: completed, success, succeeded, fulfilled.
    /// </summary>
    public List<string> FinishedStatuses { get; set; } = [];

    /// <summary>
    /// Status words, in any case, that mean failure. Empty: failed, failure, error, cancelled, canceled, expired.
    /// </summary>
    public List<string> FailedStatuses { get; set; } = [];

    /// <summary>
    /// Status words, in any case, that are known and mean neither; any other means the same, but is told as drift.
    /// Empty: created, queued, pending, started, running, inprogress, in_progress.
    /// </summary>
    public List<string> RunningStatuses { get; set; } = [];

    /// <summary>How long a job that succeeded and has settled is kept. Default 30 days; 1 s to 10 years.</summary>
    public TimeSpan FinishedLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// How long ago a job must have succeeded to be final: its results may be attached after its status. Default 30 s;
    /// 0 to 1 h. At 0 it is final at once.
    /// </summary>
    public TimeSpan SettleTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest that a job is kept which failed or was cancelled, or whose word or end cannot be relied on: it is
    /// kept as long again as it is since its end. Default 1 h; 0 to 365 days.
    /// </summary>
    public TimeSpan FailedLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long any other job is kept, and the least that a job is kept which has ended. Default 2 s; 0 to 1 h. At 0
    /// whoever waits for one fetch still shares its answer.
    /// </summary>
    public TimeSpan RunningLifetime { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Default 1 s; 0 to 1 h. Short, for a job just created may be unknown for a moment.</summary>
    public TimeSpan NotFoundLifetime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The soonest that a client of a running job is told to ask again. Default 2 s; 1 s to 1 h.</summary>
    public TimeSpan MinPollInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The latest, unless the job's snapshot is fresh for longer, and the longest that a running job is kept because
    /// the upstream's own <c>Retry-After</c> says so. Default 30 s; 1 s to 1 day, and no less than
    /// <see cref="MinPollInterval"/>.
    /// </summary>
    public TimeSpan MaxPollInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How old a snapshot may be that answers for a failing upstream. Default 10 min; 0 to 1 day.</summary>
    public TimeSpan StaleIfError { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The largest job. Default 16 MiB; 1 KiB to 256 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Memory for cached jobs on one node, in stored bytes. Default 256 MiB; 1 MiB to 1 TiB.</summary>
    public long MemoryBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>
    /// Memory for large jobs that are being fetched or encoded on one node, three times their bytes counted, and as
    /// much again for those that are being written and that the cache has no longer. Default 128 MiB; 1 MiB to 1 TiB.
    /// </summary>
    public long BytesUnderWay { get; set; } = 128L * 1024 * 1024;

    /// <summary>Whether a body must name the job that was asked for. Default true.</summary>
    public bool VerifyIds { get; set; } = true;

    public bool IsFinished(string status) => Contains(FinishedStatuses, DefaultFinished, status);

    public bool IsFailed(string status) => Contains(FailedStatuses, DefaultFailed, status);

    /// <summary>Whether it is in any of the lists.</summary>
    public bool IsKnown(string status) => IsFinished(status) || IsFailed(status) || Contains(RunningStatuses, DefaultRunning, status);

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Jobs:FinishedLifetime", FinishedLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650));
        errors.Range("Jobs:SettleTime", SettleTime, TimeSpan.Zero, TimeSpan.FromHours(1));
        errors.Range("Jobs:FailedLifetime", FailedLifetime, TimeSpan.Zero, TimeSpan.FromDays(365));
        errors.Range("Jobs:RunningLifetime", RunningLifetime, TimeSpan.Zero, TimeSpan.FromHours(1));
        errors.Range("Jobs:NotFoundLifetime", NotFoundLifetime, TimeSpan.Zero, TimeSpan.FromHours(1));
        var fine = errors.Range("Jobs:MinPollInterval", MinPollInterval, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1))
            & errors.Range("Jobs:MaxPollInterval", MaxPollInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        errors.Unless(!fine || MaxPollInterval >= MinPollInterval, "Jobs:MaxPollInterval", "must not be less than Jobs:MinPollInterval");
        errors.Range("Jobs:StaleIfError", StaleIfError, TimeSpan.Zero, TimeSpan.FromDays(1));
        errors.Range("Jobs:MaxBodyBytes", MaxBodyBytes, 1024, 256 * 1024 * 1024);
        errors.Range("Jobs:MemoryBytes", MemoryBytes, 1024 * 1024, 1L << 40);
        errors.Range("Jobs:BytesUnderWay", BytesUnderWay, 1024 * 1024, 1L << 40);
        foreach (var status in Words(FinishedStatuses, DefaultFinished).Where(IsFailed))
        {
            errors.Add(FailedStatuses.Count > 0 ? "Jobs:FailedStatuses" : "Jobs:FinishedStatuses",
                $"'{status}' cannot mean both success and failure; give both lists");
        }
        foreach (var status in RunningStatuses.Where(status => IsFinished(status) || IsFailed(status)))
        {
            errors.Add("Jobs:RunningStatuses", $"'{status}' means success or failure already");
        }
    }

    private static IReadOnlyList<string> Words(List<string> configured, string[] defaults) =>
        configured.Count > 0 ? configured : defaults;

    private static bool Contains(List<string> configured, string[] defaults, string status)
    {
        var word = status.AsSpan().Trim();
        foreach (var candidate in Words(configured, defaults))
        {
            if (word.Equals(candidate, StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }
}
