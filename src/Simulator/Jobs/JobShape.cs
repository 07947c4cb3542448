namespace Simulator.Jobs;

/// <summary>The form of a job's JSON, as selected by its modifiers. The defaults are for an id without any.</summary>
internal sealed record JobShape
{
    /// <summary>All modifiers.</summary>
    public static readonly IReadOnlyList<string> Known =
    [
        "large", "size-N", "raw-ints", "raw-object", "raw-objects", "raw-base64", "raw-null", "time-z", "time-offset",
        "time-fraction", "time-space", "status-WORD", "progress-percent", "progress-decimal", "signed-N", "escaped",
        "coded-WORD", "accepted", "retry-N", "nameless", "unfinished", "drift-field", "drift-type", "drift-missing",
        "drift-status", "wide", "again-N",
    ];

    private const int LargeKilobytes = 4096;
    private const int MostKilobytes = 65_536;

    /// <summary>The size in KB to which the body is padded, approximately; 0 for no padding.</summary>
    public int Kilobytes { get; init; }

    /// <summary>The form of every raw field; null for a mixture of all of them.</summary>
    public RawForm? Raw { get; init; }

    public TimeForm Time { get; init; }

    public ProgressForm Progress { get; init; }

    /// <summary>Replaces the final status.</summary>
    public string? FinalStatus { get; init; }

    /// <summary>The seconds for which the signed URLs in the results work; null for no signed URLs.</summary>
    public int? SignedSeconds { get; init; }

    /// <summary>Escapes <c>&amp;</c> and similar characters, as <c>\u0026</c>.</summary>
    public bool Escaped { get; init; }

    /// <summary>The content coding of the body; null for none.</summary>
    public string? Coding { get; init; }

    /// <summary>Answers 202 until the job has ended.</summary>
    public bool Accepted { get; init; }

    /// <summary>The seconds of <c>Retry-After</c> until the job has ended; null for no such header.</summary>
    public int? RetrySeconds { get; init; }

    /// <summary>Leaves <c>id</c> and <c>workflow_id</c> out.</summary>
    public bool Nameless { get; init; }

    /// <summary>A final status word with an empty <c>finished_at</c>.</summary>
    public bool Unfinished { get; init; }

    public DriftForm Drift { get; init; }

    /// <summary>A dozen tasks.</summary>
    public bool Wide { get; init; }

    /// <summary>The seconds after its end at which the job starts again; null for never.</summary>
    public int? AgainSeconds { get; init; }

    /// <summary>Returns the shape with one more modifier; null if there is no such modifier.</summary>
    public static JobShape? Apply(JobShape shape, string modifier) => modifier switch
    {
        "large" => shape with { Kilobytes = LargeKilobytes },
        "raw-ints" => shape with { Raw = RawForm.Ints },
        "raw-object" => shape with { Raw = RawForm.Object },
        "raw-objects" => shape with { Raw = RawForm.Objects },
        "raw-base64" => shape with { Raw = RawForm.Base64 },
        "raw-null" => shape with { Raw = RawForm.Null },
        "time-z" => shape with { Time = TimeForm.Z },
        "time-offset" => shape with { Time = TimeForm.Offset },
        "time-fraction" => shape with { Time = TimeForm.Fraction },
        "time-space" => shape with { Time = TimeForm.Space },
        "progress-percent" => shape with { Progress = ProgressForm.Percent },
        "progress-decimal" => shape with { Progress = ProgressForm.Decimal },
        "escaped" => shape with { Escaped = true },
        "accepted" => shape with { Accepted = true },
        "nameless" => shape with { Nameless = true },
        "unfinished" => shape with { Unfinished = true },
        "wide" => shape with { Wide = true },
        "drift-field" => shape with { Drift = shape.Drift | DriftForm.Field },
        "drift-type" => shape with { Drift = shape.Drift | DriftForm.Type },
        "drift-missing" => shape with { Drift = shape.Drift | DriftForm.Missing },
        "drift-status" => shape with { Drift = shape.Drift | DriftForm.Status },
        _ when After("size-", modifier) is string size && JobName.Number(size) is int kilobytes and <= MostKilobytes =>
            shape with { Kilobytes = kilobytes },
        _ when After("signed-", modifier) is string signed && JobName.Number(signed) is int seconds =>
            shape with { SignedSeconds = seconds },
        _ when After("retry-", modifier) is string retry && JobName.Number(retry) is int seconds =>
            shape with { RetrySeconds = seconds },
        _ when After("again-", modifier) is string again && JobName.Number(again) is int seconds =>
            shape with { AgainSeconds = seconds },
        _ when After("coded-", modifier) is string coding => shape with { Coding = coding },
        _ when After("status-", modifier) is string word => shape with { FinalStatus = word },
        _ => null,
    };

    private static string? After(string prefix, string text) =>
        text.Length > prefix.Length && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : null;
}
