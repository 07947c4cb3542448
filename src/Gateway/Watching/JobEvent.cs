using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Watching;

/// <summary>How a stream shows jobs.</summary>
/// <param name="IsSummary">Whether it shows summaries, and not whole bodies.</param>
/// <param name="IsOfMany">Whether it is a stream of several jobs, whose data name their job.</param>
internal readonly record struct EventView(bool IsSummary, bool IsOfMany)
{
    public const int Count = 4;

    public int Index => (IsSummary ? 1 : 0) + (IsOfMany ? 2 : 0);
}

/// <summary>
/// The event <c>job</c> for one state of a job, in one view. It is made once, and written to all streams with this
/// view.
/// </summary>
internal sealed class JobEvent
{
    /// <summary>The largest body that is sent in events, in bytes. The summary of a larger job can be sent.</summary>
    public const int MaxBody = 1024 * 1024;

    public const string Type = "job";

    private JobEvent(string id, byte[] bytes) => (Id, Bytes) = (id, bytes);

    /// <summary>The entity tag of the representation, without quotes.</summary>
    public string Id { get; }

    /// <summary>The event. For a stream of several jobs its end is missing, because ids differ.</summary>
    public byte[] Bytes { get; }

    /// <returns>Null if the body is too large for an event.</returns>
    public static JobEvent? Of(JobAddress job, JobSnapshot snapshot, EventView view)
    {
        var shown = view.IsSummary
            ? new Representation(ContentCoding.Identity, SummaryWriter.Of(snapshot.Identity.Body.Span))
            : snapshot.Identity;
        if (shown.Body.Length > MaxBody) return null;
        var body = JobFacts.WithoutMark(shown.Body.Span);
        var id = shown.ETag.Trim('"');
        var written = new ArrayBufferWriter<byte>(body.Length + 256);
        if (view.IsOfMany)
        {
            var data = new ArrayBufferWriter<byte>(body.Length + 256);
            JobData.Write(data, job, shown.ETag, body);
            EventFormat.WriteData(written, Type, data.WrittenSpan);
        }
        else EventFormat.Write(written, Type, id, body);
        return new JobEvent(id, written.WrittenSpan.ToArray());
    }
}

/// <summary>The members that a job has in data about several jobs.</summary>
internal static class JobData
{
    /// <summary>How data with whole jobs in it are written: jobs are valid JSON already.</summary>
    public static readonly JsonWriterOptions Options =
        new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(IBufferWriter<byte> to, JobAddress job, string etag, ReadOnlySpan<byte> body)
    {
        using var writer = new Utf8JsonWriter(to, Options);
        writer.WriteStartObject();
        WriteName(writer, job);
        writer.WriteString("etag", etag);
        writer.WritePropertyName("job");
        writer.WriteRawValue(body, skipInputValidation: true);
        writer.WriteEndObject();
    }

    public static void WriteName(Utf8JsonWriter writer, JobAddress job)
    {
        writer.WriteString("workflow_id", job.Workflow);
        writer.WriteString("job_id", job.Job);
    }
}
