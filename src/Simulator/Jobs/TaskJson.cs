using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Simulator.Jobs;

/// <summary>One task of a job as JSON, its fields in the documented order.</summary>
internal static class TaskJson
{
    /// <summary>The bytes that follow the padding of the last task.</summary>
    private const int Remainder = 1200;

    public static void Write(Utf8JsonWriter json, JobView view, int n, JsonSerializerOptions options)
    {
        (TaskState task, TaskPlan plan) = (view.State.Tasks[n], view.State.Tasks[n].Plan);
        DriftForm drift = view.Name.Shape.Drift;
        TimeSpan? seen = task.Finished ?? (task.Started is null ? null : view.State.Updated);
        bool failed = task.Status == "failed";

        json.WriteStartObject();
        json.WriteString("id", Id(view, plan));
        json.WriteString("name", plan.Name);
        bool archived = task.Status == "completed" && drift.HasFlag(DriftForm.Status);
        json.WriteString("status", archived ? "archived" : task.Status);
        json.WriteString("state_msg", task.Status == "inprogress" ? plan.Activity : task.Status);
        json.WriteString("time_taken", seen is null ? "" : WireForms.Duration(seen.Value - task.Started!.Value));
        json.WriteString("err_msg", ErrorText(view, n, failed));
        json.WriteString("failure_type", failed ? "VALIDATION" : "");
        json.WriteString("created_at", view.Time(view.State.Created));
        json.WriteString("updated_at", view.Time(seen ?? view.State.Created));
        json.WriteString("finished_at", view.Time(task.Finished));
        json.WriteString("recv_time", view.Time(task.Started));
        json.WriteString("send_time", view.Time(task.Finished));
        json.WriteString("block_inf_start_time", view.Time(task.Started));
        json.WriteString("block_inf_end_time", view.Time(task.Finished));
        json.WriteNumber("estimated_time_duration", (int)(view.State.Estimate * (plan.To - plan.From)).TotalSeconds);
        json.WriteNumber("progress", task.Progress);
        WriteRawFields(json, view, n, options);
        WriteStrings(json, "depends_on", plan.DependsOn);
        WriteDisclaimer(json, view, n);
        json.WriteStartObject("block_info");
        json.WriteString("id", $"blk-{plan.Name}");
        json.WriteString("name", plan.Block);
        json.WriteString("version", plan.Version);
        json.WriteEndObject();
        if (drift.HasFlag(DriftForm.Field))
            json.WriteString("node_pool", "spot-gpu-large");
        json.WriteEndObject();
    }

    private static string ErrorText(JobView view, int n, bool failed) =>
        n == 0 && view.ErrorText is not null ? view.ErrorText
        : failed ? "mosaic expects 4 bands, cloud-mask delivers 3"
        : "";

    private static void WriteRawFields(Utf8JsonWriter json, JobView view, int n, JsonSerializerOptions options)
    {
        JobShape shape = view.Name.Shape;
        RawForm Form(int field) => shape.Raw ?? RawField.Mixed((2 * n) + field);

        RawField.Write(json, "info_logs", Logs(view, n, options), Form(0));
        RawField.Write(json, "inputs", Inputs(view, n, options), Form(1));

        // A mixture would write most signed URLs as numbers.
        RawForm results = shape is { SignedSeconds: not null, Raw: null } ? RawForm.Object : Form(2);
        RawField.Write(json, "result", Result(view, n, options), results);
    }

    private static byte[] Logs(JobView view, int n, JsonSerializerOptions options)
    {
        TaskState task = view.State.Tasks[n];
        return JsonSerializer.SerializeToUtf8Bytes(
            new { level = "info", at = view.Time(task.Started), text = $"{task.Plan.Activity}, {task.Progress:0}%" },
            options);
    }

    private static byte[] Inputs(JobView view, int n, JsonSerializerOptions options)
    {
        TaskPlan plan = view.State.Tasks[n].Plan;
        return JsonSerializer.SerializeToUtf8Bytes(
            new { scenes = n == 0 ? 12 : 1, crs = "EPSG:32643", from = plan.DependsOn, resolution_m = 5 }, options);
    }

    private static byte[] Result(JobView view, int n, JsonSerializerOptions options)
    {
        TaskState task = view.State.Tasks[n];
        if (task.Status != "completed" || view.State.ResultsPending)
            return "{}"u8.ToArray();

        string path = $"{Uri.EscapeDataString(view.JobId)}/{task.Plan.Name}.tif";
        string href = view.Name.Shape.SignedSeconds is int seconds
            ? SignedUrl.For(path, view.FirstAsked, seconds)
            : $"s3://simulated-scenes/{path}";
        return JsonSerializer.SerializeToUtf8Bytes(new { href, type = "image/tiff", bands = 4 }, options);
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }

    /// <summary>Writes the notices. Those of the last task pad the body to its size.</summary>
    private static void WriteDisclaimer(Utf8JsonWriter json, JobView view, int n)
    {
        json.WriteStartArray("disclaimer");
        json.WriteStringValue("Contains modified imagery; see the licence of each scene.");
        if (n == view.State.Tasks.Count - 1)
        {
            long wanted = (view.Name.Shape.Kilobytes * 1024L) - Remainder;
            for (int scene = 1; json.BytesCommitted + json.BytesPending < wanted; scene++)
                json.WriteStringValue($"Scene {scene:000000}: distributed under its licence, without warranty.");
        }
        json.WriteEndArray();
    }

    private static string Id(JobView view, TaskPlan plan)
    {
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{view.WorkflowId}/{view.JobId}/{plan.Name}"));
        return new Guid(digest.AsSpan(0, 16)).ToString();
    }
}
