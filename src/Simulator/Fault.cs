namespace Simulator;

/// <summary>One scripted misbehaviour, and the calls it applies to.</summary>
internal sealed record Fault
{
    /// <summary>A job id; <c>*</c> for any job; <c>prefix*</c> for the ids that begin with the prefix.</summary>
    public string Job { get; init; } = "*";

    public FaultKind Kind { get; init; }

    /// <summary>
    /// The status of <see cref="FaultKind.Status"/>, 200 to 599. For <see cref="FaultKind.EchoCredential"/> and
    /// <see cref="FaultKind.Html"/> the default of 503 means 200.
    /// </summary>
    public int Status { get; init; } = 503;

    /// <summary><c>Retry-After</c>, verbatim, with <see cref="FaultKind.Status"/>.</summary>
    public string? RetryAfter { get; init; }

    /// <summary>The delay before the answer, for every kind.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>The number of calls that the fault applies to; null until it is cleared.</summary>
    public int? Times { get; init; }

    /// <summary>
    /// With <see cref="FaultKind.Status"/>: sent verbatim instead of the error envelope, as HTML if it begins with
    /// <c>&lt;</c> and as JSON otherwise.
    /// </summary>
    public string? Body { get; init; }

    public bool AppliesTo(string jobId) =>
        Job.EndsWith('*') ? jobId.StartsWith(Job[..^1], StringComparison.Ordinal) : jobId == Job;

    /// <summary>Returns the reason why the fault is not valid; null if it is.</summary>
    public string? Problem() => this switch
    {
        { Job: null or "" } => "job must be a job id, a prefix followed by *, or *.",
        { Status: < 200 or > 599 } => "status must be from 200 to 599.",
        { Times: < 1 } => "times must be 1 or more; leave it out for a fault that lasts until it is cleared.",
        { Delay.Ticks: < 0 } => "delay must not be negative.",
        { Delay.TotalDays: > 1 } => "delay must not be longer than a day.",
        { RetryAfter: string text } when text.Any(char.IsControl) => "retryAfter must not hold control characters.",
        _ => null,
    };
}
