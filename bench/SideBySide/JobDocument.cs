using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gateway.SideBySide;

/// <summary>
/// The jobs of a workflow: about 6 KB each, all different and of equal length. The body follows from the job's number
/// and progress, so that a receiver can check it byte for byte.
/// </summary>
internal sealed class JobDocument
{
    public const string Prefix = "job-";
    public const int IdLength = 16, Done = 100;

    private const int Digits = IdLength - 4;
    private const string IdPlace = "job-@@@@@@@@@@@@", TaskPlace = "########-####-####-####-############",
        ProgressPlace = "%%";

    private static readonly JsonSerializerOptions Json =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
        };

    private static readonly string[] Disclaimer = ["Contains modified imagery; see the licence of each scene."];
    private static readonly string[] Window = ["2025-01-01", "2025-03-31"];
    private static readonly double[] Box = [77.42, 12.83, 77.78, 13.14];
    private static readonly string[] Blocks = ["ingest", "orthorectify", "cloud-mask", "mosaic", "publish"];

    private readonly Form _finished, _running;

    /// <param name="added">The number of bytes to add to the usual length.</param>
    public JobDocument(string workflow, int added = 0)
    {
        // The length of the name compensates for the different length of the other form.
        var (finished, running) = (Template(workflow, finished: true, ""), Template(workflow, finished: false, ""));
        _finished = new Form(
            Template(workflow, finished: true, new string('.', added + Math.Max(0, running.Length - finished.Length))));
        _running = new Form(Template(
            workflow, finished: false, new string('.', added + Math.Max(0, finished.Length - running.Length))));
    }

    /// <summary>The jobs of a workflow, which are large for some workflows.</summary>
    public static JobDocument Of(string workflow) =>
        new(workflow, workflow == Jobs.LargeWorkflow ? Jobs.LargeBytes : 0);

    public int Length => _finished.Bytes.Length;

    public static string IdOf(long number) => Prefix + number.ToString("D12", CultureInfo.InvariantCulture);

    /// <param name="progress"><see cref="Done"/>, or 10 to 99 for a running job.</param>
    public byte[] Of(long number, int progress = Done)
    {
        var body = new byte[Length];
        Write(body, number, progress);
        return body;
    }

    public void Write(Span<byte> to, long number, int progress = Done)
    {
        var form = progress == Done ? _finished : _running;
        form.Bytes.CopyTo(to);
        foreach (var place in form.Ids)
            number.TryFormat(to.Slice(place + Prefix.Length, Digits), out _, "D12", CultureInfo.InvariantCulture);
        for (var i = 0; i < form.Tasks.Length; i++) WriteTask(to[form.Tasks[i]..], (ulong)number * 8 + (ulong)i);
        foreach (var place in form.Progress)
            progress.TryFormat(to.Slice(place, 2), out _, "D2", CultureInfo.InvariantCulture);
    }

    /// <summary>Reads the progress from the body of a running job, or returns null.</summary>
    public static int? ProgressOf(ReadOnlySpan<byte> body)
    {
        var field = "\"progress\":\""u8;
        var at = body.IndexOf(field);
        return at >= 0 && int.TryParse(body.Slice(at + field.Length, 2), CultureInfo.InvariantCulture, out var progress)
            ? progress : null;
    }

    // An identifier that is reproducible and incompressible (splitmix64).
    private static void WriteTask(Span<byte> to, ulong seed)
    {
        Span<byte> bytes = stackalloc byte[16];
        for (var half = 0; half < 2; half++)
        {
            var mixed = (seed * 2 + (ulong)half + 1) * 0x9E3779B97F4A7C15;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            BitConverter.TryWriteBytes(bytes[(half * 8)..], mixed ^ (mixed >> 31));
        }
        new Guid(bytes).TryFormat(to, out _);
    }

    private static byte[] Template(string workflow, bool finished, string padding)
    {
        const string Start = "2026-01-31T10:00:00Z", End = "2026-01-31T10:09:00Z";
        var (status, progress, end) = finished ? ("COMPLETED", "100", End) : ("RUNNING", ProgressPlace, "");
        var tasks = Blocks.Select((block, i) => new
        {
            Id = TaskPlace,
            Name = block,
            Status = status,
            StateMsg = $"{block} of {Blocks.Length} tasks, number {i + 1}",
            TimeTaken = $"{i + 1}m{7 * i + 11}s",
            ErrMsg = "",
            FailureType = "",
            CreatedAt = Start,
            UpdatedAt = End,
            FinishedAt = end,
            RecvTime = $"2026-01-31T10:0{i}:39Z",
            SendTime = $"2026-01-31T10:0{i + 2}:27Z",
            BlockInfStartTime = $"2026-01-31T10:0{i}:41Z",
            BlockInfEndTime = $"2026-01-31T10:0{i + 2}:21Z",
            EstimatedTimeDuration = 81 + 27 * i,
            Progress = finished ? 100 : 50,
            InfoLogs = new
            {
                Level = "info",
                At = Start,
                Text = $"{block}: tiles written, overviews and statistics next"
            },
            Inputs = new { Scenes = 12 - i, Crs = "EPSG:32643", From = Blocks[..i], ResolutionM = 5 },
            Result = new { Href = $"s3://scenes/{workflow}/{IdPlace}/{block}.tif", Type = "image/tiff", Bands = 4 },
            DependsOn = Blocks[Math.Max(0, i - 1)..i],
            Disclaimer,
            BlockInfo = new { Id = $"blk-{block}", Name = $"Block for {block}", Version = $"{i + 1}.{9 - i}.3" },
        });
        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            Id = IdPlace,
            WorkflowId = workflow,
            CreatedBy = $"analyst{padding}@survey.example",
            Status = status,
            Progress = progress,
            Tasks = tasks,
            ValErrors = Array.Empty<string>(),
            Spec = new
            {
                Name = "Seasonal mosaic",
                Area = new { Type = "bbox", Bbox = Box },
                Window,
                MaxCloudCover = 15,
                Tasks = Blocks.Select((block, i) =>
                    new { Name = block, Block = $"Block for {block}", DependsOn = Blocks[Math.Max(0, i - 1)..i] }),
            },
            Cost = 1250,
            EstimatedDuration = 540,
            TimeTaken = "9m0s",
            CreatedAt = Start,
            UpdatedAt = End,
            FinishedAt = end,
            ExecCreatedAt = Start,
            ExecUpdatedAt = End,
        }, Json);
    }

    /// <summary>A body with the positions that differ between jobs.</summary>
    private sealed class Form(byte[] bytes)
    {
        public byte[] Bytes => bytes;

        public int[] Ids { get; } = PlacesOf(IdPlace, bytes);

        public int[] Tasks { get; } = PlacesOf(TaskPlace, bytes);

        public int[] Progress { get; } = PlacesOf(ProgressPlace, bytes);

        private static int[] PlacesOf(string what, byte[] bytes)
        {
            var (text, places) = (Encoding.ASCII.GetString(bytes), new List<int>());
            for (var at = text.IndexOf(what, StringComparison.Ordinal); at >= 0; at = text.IndexOf(
                what, at + what.Length, StringComparison.Ordinal)) places.Add(at);
            return [.. places];
        }
    }
}
