using System.Globalization;

namespace Simulator.Jobs;

/// <summary>A parsed job id. <see cref="JobScript"/> documents the grammar.</summary>
/// <param name="Kind">The kind of the job.</param>
/// <param name="Seconds">The number after the kind, or the default of the kind.</param>
/// <param name="Shape">The shape that the modifiers select.</param>
/// <param name="UnknownModifier">The first modifier that does not exist; such a job is answered 400.</param>
internal sealed record JobName(JobKind Kind, int Seconds, JobShape Shape, string? UnknownModifier = null)
{
    public static JobName Parse(string jobId)
    {
        string[] parts = jobId.Split('.');
        string[] words = parts[0].Split('-');
        JobKind kind = KindOf(words[0]);
        int seconds = words.Length > 1 && Number(words[1]) is int given ? given : UsualSeconds(kind);

        var shape = new JobShape();
        foreach (string modifier in parts.Skip(1))
        {
            if (JobShape.Apply(shape, modifier) is not JobShape next)
                return new JobName(kind == JobKind.Missing ? kind : JobKind.Bad, seconds, shape, modifier);
            shape = next;
        }
        return new JobName(kind, seconds, shape);
    }

    public static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    private static JobKind KindOf(string word) => word switch
    {
        "finished" => JobKind.Finished,
        "run" => JobKind.Run,
        "fail" => JobKind.Fail,
        "cancel" => JobKind.Cancel,
        "stuck" => JobKind.Stuck,
        "late" => JobKind.Late,
        "forbidden" => JobKind.Forbidden,
        "bad" => JobKind.Bad,
        _ => JobKind.Missing,
    };

    private static int UsualSeconds(JobKind kind) => kind switch
    {
        JobKind.Run or JobKind.Stuck => 30,
        JobKind.Late => 3,
        _ => 0,
    };
}
