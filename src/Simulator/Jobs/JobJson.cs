using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Simulator.Jobs;

/// <summary>A job as JSON, its fields in the documented order.</summary>
internal static class JobJson
{
    private static readonly JsonSerializerOptions Plain = Options(JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
    private static readonly JsonSerializerOptions Escaped = Options(JavaScriptEncoder.Default);

    public static ReadOnlyMemory<byte> Render(JobView view)
    {
        JobShape shape = view.Name.Shape;
        JsonSerializerOptions options = shape.Escaped ? Escaped : Plain;
        var buffer = new ArrayBufferWriter<byte>(8192);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = options.Encoder }))
            Write(json, view, options);
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, JobView view, JsonSerializerOptions options)
    {
        (JobState state, JobShape shape) = (view.State, view.Name.Shape);
        json.WriteStartObject();
        if (!shape.Nameless)
        {
            json.WriteString("id", view.JobId);
            json.WriteString("workflow_id", view.WorkflowId);
        }
        json.WriteString("created_by", "analyst@survey.example");
        json.WriteString("status", state.Status);
        if (!shape.Drift.HasFlag(DriftForm.Missing))
            json.WriteString("progress", WireForms.Progress(state.Progress, shape.Progress));

        json.WriteStartArray("tasks");
        for (int n = 0; n < state.Tasks.Count; n++)
            TaskJson.Write(json, view, n, options);
        json.WriteEndArray();

        json.WriteStartArray("val_errors");
        if (state.Failed)
            WriteValidationError(json);
        json.WriteEndArray();

        RawField.Write(json, "spec", Spec(shape, options), shape.Raw ?? RawForm.Object);
        if (shape.Drift.HasFlag(DriftForm.Type))
            json.WriteString("cost", "1250 credits");
        else
            json.WriteNumber("cost", 1250);
        json.WriteNumber("estimated_duration", (int)state.Estimate.TotalSeconds);
        json.WriteString("time_taken", WireForms.Duration(state.Updated - state.Created));
        json.WriteString("created_at", view.Time(state.Created));
        json.WriteString("updated_at", view.Time(state.Updated));
        json.WriteString("finished_at", view.Time(state.Finished));
        json.WriteString("exec_created_at", view.Time(state.Created));
        json.WriteString("exec_updated_at", view.Time(state.Updated));
        json.WriteEndObject();
    }

    private static void WriteValidationError(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("from", "cloud-mask");
        json.WriteString("to", "mosaic");
        json.WriteString("err", "band count differs");
        json.WriteString("reason", "mosaic expects 4 bands, cloud-mask delivers 3");
        json.WriteString("component_name", "Seamline mosaic");
        json.WriteEndObject();
    }

    private static byte[] Spec(JobShape shape, JsonSerializerOptions options) => JsonSerializer.SerializeToUtf8Bytes(
        new
        {
            name = "Seasonal mosaic",
            area = new { type = "bbox", bbox = (double[])[77.42, 12.83, 77.78, 13.14] },
            window = (string[])["2025-01-01", "2025-03-31"],
            max_cloud_cover = 15,
            tasks = Pipeline.Of(shape).Select(plan => new { plan.Name, plan.Block, plan.DependsOn }),
        },
        options);

    private static JsonSerializerOptions Options(JavaScriptEncoder encoder) =>
        new() { Encoder = encoder, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
}
