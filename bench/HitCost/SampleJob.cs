using System.Text.Json;

namespace Gateway.HitCost;

/// <summary>The job that is measured: job-7 of survey-1.</summary>
internal static class SampleJob
{
    /// <summary>A finished job of about 6 KB.</summary>
    public static byte[] Bytes { get; } = JsonSerializer.SerializeToUtf8Bytes(new
    {
        id = "job-7",
        workflow_id = "survey-1",
        status = "completed",
        progress = "100",
        tasks = Enumerable.Range(1, 15).Select(n => new
        {
            id = $"task-{n}",
            name = $"step {n} of the survey",
            status = "completed",
            progress = 100,
            depends_on = new[] { $"task-{n - 1}" },
            estimated_time_duration = 100 + n,
            time_taken = $"1m{n}s",
            created_at = "2026-05-04T12:00:00Z",
            updated_at = $"2026-05-04T12:01:{n + 10}Z",
            finished_at = $"2026-05-04T12:01:{n + 10}Z",
            inputs = new { scene = $"S2A_202605{n + 10}" },
            result = new[] { new { kind = "mosaic", tiles = 24 * n, area = 37.25 * n * n } },
            block_info = new { id = $"block-{n}", name = "ingest", version = $"1.{n}.0" },
        }),
        val_errors = Array.Empty<string>(),
        spec = new { area = "north" },
        cost = 1250,
        created_at = "2026-05-04T12:00:00Z",
        updated_at = "2026-05-04T12:09:02Z",
        finished_at = "2026-05-04T12:09:02Z",
    });
}
