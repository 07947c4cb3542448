using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gateway.Jobs;

/// <summary>
/// The summary of a job for callers who show many jobs: ids, status, progress, times, and a line for each task. It
/// leaves out the raw fields, which are most of a job's bytes, and the times that change at each update.
/// </summary>
internal static class SummaryWriter
{
    private const int MaxText = 500;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Members of the job, and of each task, in the order of the summary. Progress is added as a number.
    private static readonly string[] Members =
    [
        "id", "workflow_id", "status", "created_at", "exec_created_at", "finished_at", "estimated_duration",
    ];

    private static readonly string[] TaskMembers =
    [
        "id", "name", "status", "state_msg", "err_msg", "failure_type", "created_at", "finished_at",
        "estimated_time_duration",
    ];

    /// <summary>Returns the summary as JSON in UTF-8. Members that are missing or empty are left out.</summary>
    /// <param name="body">The body of a job: one JSON object.</param>
    public static byte[] Of(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(JobFacts.WithoutMark(body), new JsonReaderOptions
        {
            MaxDepth = JobFacts.MaxDepth,
        });
        reader.Read();
        var written = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(written, Options))
        {
            var job = ReadMembers(ref reader, Members, withTasks: true);
            writer.WriteStartObject();
            Write(writer, Members, job);
            writer.WriteStartArray("tasks");
            foreach (var task in job.Tasks)
            {
                writer.WriteStartObject();
                Write(writer, TaskMembers, task);
                if (task.DependsOn.Count > 0)
                {
                    writer.WriteStartArray("depends_on");
                    foreach (var name in task.DependsOn) writer.WriteStringValue(name);
                    writer.WriteEndArray();
                }
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        return written.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter writer, string[] names, Part part)
    {
        foreach (var name in names)
        {
            switch (part.Values.GetValueOrDefault(name))
            {
                case string text: writer.WriteString(name, text); break;
                case double number: writer.WriteNumber(name, number); break;
            }
        }
        if (part.Progress is { } progress) writer.WriteNumber("progress", Math.Round(progress * 100, 1));
    }

    private static Part ReadMembers(ref Utf8JsonReader reader, string[] names, bool withTasks)
    {
        var part = new Part();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (Is(ref reader, "progress"))
            {
                reader.Read();
                part.Progress = JobTimes.Share(ref reader);
                Skip(ref reader);
            }
            else if (withTasks && Is(ref reader, "tasks")) ReadTasks(ref reader, part);
            else if (!withTasks && Is(ref reader, "depends_on")) ReadNames(ref reader, part);
            else if (NameIn(ref reader, names) is { } name)
            {
                reader.Read();
                part.Values[name] = Value(ref reader);
                Skip(ref reader);
            }
            else
            {
                reader.Read();
                Skip(ref reader);
            }
        }
        return part;
    }

    private static void ReadTasks(ref Utf8JsonReader reader, Part part)
    {
        part.Tasks.Clear();
        if (!IsArray(ref reader)) return;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                part.Tasks.Add(ReadMembers(ref reader, TaskMembers, withTasks: false));
            }
            else Skip(ref reader);
        }
    }

    private static void ReadNames(ref Utf8JsonReader reader, Part part)
    {
        part.DependsOn.Clear();
        if (!IsArray(ref reader)) return;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.String && Value(ref reader) is string name) part.DependsOn.Add(name);
            Skip(ref reader);
        }
    }

    /// <summary>Moves to the value of a member. Skips a value that is no array.</summary>
    private static bool IsArray(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartArray) return true;
        Skip(ref reader);
        return false;
    }

    // The reader's own comparison fails on an escape that is not valid Unicode.
    private static bool Is(ref Utf8JsonReader reader, string name) =>
        reader.ValueIsEscaped ? JobFacts.TextOf(ref reader) == name : reader.ValueTextEquals(name);

    private static string? NameIn(ref Utf8JsonReader reader, string[] names)
    {
        foreach (var name in names)
        {
            if (Is(ref reader, name)) return name;
        }
        return null;
    }

    // Empty text, text that is not valid Unicode, and values of other types are left out.
    private static object? Value(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => JobFacts.TextOf(ref reader) is { Length: > 0 } text ? Shortened(text) : null,
        JsonTokenType.Number when reader.TryGetDouble(out var number) && double.IsFinite(number) => number,
        _ => null,
    };

    private static string Shortened(string text)
    {
        if (text.Length <= MaxText) return text;
        // A pair of surrogates must not be split.
        var end = char.IsHighSurrogate(text[MaxText - 2]) ? MaxText - 2 : MaxText - 1;
        return $"{text.AsSpan(0, end)}…";
    }

    private static void Skip(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray) reader.Skip();
    }

    /// <summary>The members of a job or of a task that the summary has.</summary>
    private sealed class Part
    {
        public Dictionary<string, object?> Values { get; } = new(StringComparer.Ordinal);

        public double? Progress { get; set; }

        public List<string> DependsOn { get; } = [];

        public List<Part> Tasks { get; } = [];
    }
}
