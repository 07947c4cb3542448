using Gateway.Configuration;

namespace Gateway.Jobs;

/// <summary>The status words of jobs, and the lifetimes of cached answers.</summary>
internal sealed class JobsOptions
{
    private const long MiB = 1024 * 1024;

    private static readonly long MemoryOfProcess = MemoryFor(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    private static readonly string[] DefaultFinished = ["completed", "success", "succeeded", "fulfilled"];
    private static readonly string[] DefaultFailed = ["failed", "failure", "error", "cancelled", "canceled", "expired"];
    private static readonly string[] DefaultRunning =
        ["created", "queued", "pending", "started", "running", "inprogress", "in_progress"];

    /// <summary>
    /// The status words, in any case, that mean success. If empty: completed, success, succeeded, fulfilled.
    /// </summary>
    public List<string> FinishedStatuses { get; set; } = [];

    /// <summary>
    /// The status words, in any case, that mean failure. If empty: failed, failure, error, cancelled, canceled,
    /// expired.
    /// </summary>
    public List<string> FailedStatuses { get; set; } = [];

    /// <summary>
    /// The status words, in any case, that mean a running job. An unknown word means the same, and is reported as
    /// drift. If empty: created, queued, pending, started, running, inprogress, in_progress.
    /// </summary>
    public List<string> RunningStatuses { get; set; } = [];

    /// <summary>The lifetime of a job that succeeded and has settled. Default 30 days; 1 s to 10 years.</summary>
    public TimeSpan FinishedLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// The time after its success during which a job may still change, because the upstream may attach results after
    /// the status. Default 30 s; 0 to 1 h. If 0, a succeeded job is finished at once.
    /// </summary>
    public TimeSpan SettleTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest lifetime of a job that failed or was cancelled, or whose end is not clear from its body. The
    /// lifetime of such a job is the time since its end. Default 1 h; 0 to 365 days.
    /// </summary>
    public TimeSpan FailedLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// The lifetime of any other job, and the shortest lifetime of a job that has ended. Default 2 s; 0 to 1 h. If 0,
    /// only callers who wait for the same fetch share its answer.
    /// </summary>
    public TimeSpan RunningLifetime { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The lifetime of an answer that the upstream has no such job. The default is short, because the upstream may not
    /// know a new job at once. Default 1 s; 0 to 1 h.
    /// </summary>
    public TimeSpan NotFoundLifetime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The shortest <c>Retry-After</c> that a client of a running job gets. Default 2 s; 1 s to 1 h.</summary>
    public TimeSpan MinPollInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The longest <c>Retry-After</c> that a client of a running job gets, unless the snapshot is fresh for longer. It
    /// also limits the lifetime that the upstream's own <c>Retry-After</c> gives a running job. Default 30 s; 1 s to 1
    /// day, and at least <see cref="MinPollInterval"/>.
    /// </summary>
    public TimeSpan MaxPollInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The largest age of a snapshot that is served while the upstream fails. Default 10 min; 0 to 1 day.
    /// </summary>
    public TimeSpan StaleIfError { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The largest body of a job. Default 16 MiB; 1 KiB to 256 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// The heap memory of cached jobs on one node. Default 0: by the memory of the process
    /// (<see cref="MemoryFor"/>); 1 MiB to 1 TiB.
    /// </summary>
    public long MemoryBytes { get; set; }

    /// <summary>
    /// The memory for large jobs that one node fetches (counted as three times their bytes) or encodes (twice). The
    /// same amount is available for large jobs that are being written to callers although the cache has removed them.
    /// Default 0: half of the default of <see cref="MemoryBytes"/>; 1 MiB to 1 TiB.
    /// </summary>
    public long BytesUnderWay { get; set; }

    /// <summary>
    /// Whether a body that names another job is refused. A body that names no job then counts as a running job. Default
    /// true.
    /// </summary>
    public bool VerifyIds { get; set; } = true;

    /// <summary>The value of <see cref="MemoryBytes"/> in force.</summary>
    public long MemoryInForce => MemoryBytes > 0 ? MemoryBytes : MemoryOfProcess;

    /// <summary>The value of <see cref="BytesUnderWay"/> in force.</summary>
    public long UnderWayInForce => BytesUnderWay > 0 ? BytesUnderWay : MemoryOfProcess / 2;

    /// <summary>The status words in force that mean success.</summary>
    public IReadOnlyList<string> FinishedWords => Words(FinishedStatuses, DefaultFinished);

    /// <summary>The status words in force that mean failure.</summary>
    public IReadOnlyList<string> FailedWords => Words(FailedStatuses, DefaultFailed);

    /// <summary>
    /// The default of <see cref="MemoryBytes"/>: what 128 MiB for the process itself leave, divided by 2.5. Jobs may
    /// take twice their bound, and large bodies under way take half of it. At least 16 MiB, at most 256 MiB.
    /// </summary>
    /// <param name="available">The memory that .NET may use; in a container three quarters of its limit.</param>
    public static long MemoryFor(long available) => Math.Clamp((available - 128 * MiB) * 2 / 5, 16 * MiB, 256 * MiB);

    public bool IsFinished(string status) => Contains(FinishedStatuses, DefaultFinished, status);

    public bool IsFailed(string status) => Contains(FailedStatuses, DefaultFailed, status);

    /// <summary>Whether a status word is in any of the lists.</summary>
    public bool IsKnown(string status) =>
        IsFinished(status) || IsFailed(status) || Contains(RunningStatuses, DefaultRunning, status);

    public void Check(ConfigurationErrors errors)
    {
        errors.Range("Jobs:FinishedLifetime", FinishedLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650));
        errors.Range("Jobs:SettleTime", SettleTime, TimeSpan.Zero, TimeSpan.FromHours(1));
        errors.Range("Jobs:FailedLifetime", FailedLifetime, TimeSpan.Zero, TimeSpan.FromDays(365));
        errors.Range("Jobs:RunningLifetime", RunningLifetime, TimeSpan.Zero, TimeSpan.FromHours(1));
        errors.Range("Jobs:NotFoundLifetime", NotFoundLifetime, TimeSpan.Zero, TimeSpan.FromHours(1));
        var fine = errors.Range("Jobs:MinPollInterval", MinPollInterval, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1))
            & errors.Range("Jobs:MaxPollInterval", MaxPollInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        errors.Unless(!fine || MaxPollInterval >= MinPollInterval, "Jobs:MaxPollInterval",
            "must not be less than Jobs:MinPollInterval");
        errors.Range("Jobs:StaleIfError", StaleIfError, TimeSpan.Zero, TimeSpan.FromDays(1));
        errors.Range("Jobs:MaxBodyBytes", MaxBodyBytes, 1024, 256 * 1024 * 1024);
        if (MemoryBytes != 0) errors.Range("Jobs:MemoryBytes", MemoryBytes, MiB, 1L << 40);
        if (BytesUnderWay != 0) errors.Range("Jobs:BytesUnderWay", BytesUnderWay, MiB, 1L << 40);
        errors.Unless(!Words(FinishedStatuses, DefaultFinished).Any(IsFailed),
            FailedStatuses.Count > 0 ? "Jobs:FailedStatuses" : "Jobs:FinishedStatuses",
            "a word cannot mean both success and failure; set both lists");
        errors.Unless(!RunningStatuses.Any(status => IsFinished(status) || IsFailed(status)), "Jobs:RunningStatuses",
            "a word of the list already means success or failure");
    }

    /// <summary>Adds a warning for each bound of memory that exceeds the memory of the process.</summary>
    public void Warn(ConfigurationErrors warnings, long memory)
    {
        const string What = "is more memory than the process may use";
        warnings.Unless(MemoryBytes <= memory, "Jobs:MemoryBytes", What);
        warnings.Unless(BytesUnderWay <= memory, "Jobs:BytesUnderWay", What);
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
