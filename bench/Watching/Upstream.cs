using System.Diagnostics;

namespace Gateway.WatchingBench;

/// <summary>An upstream with one running job, which changes when a test says so.</summary>
internal sealed class Upstream : IAsyncDisposable
{
    private readonly WebApplication _app;
    private long _version, _answeredAt;

    private Upstream(WebApplication app) => _app = app;

    /// <summary>When the newest version was answered for the first time, as a timestamp; 0: not yet.</summary>
    public long AnsweredAt => Interlocked.Read(ref _answeredAt);

    public int Calls { get; private set; }

    public static async Task<Upstream> StartAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        var upstream = new Upstream(builder.Build());
        upstream._app.MapGet("/v0/workflows/{workflow}/jobs/{job}", upstream.AnswerAsync);
        await upstream._app.StartAsync();
        return upstream;
    }

    public void Change()
    {
        Interlocked.Exchange(ref _answeredAt, 0);
        Interlocked.Increment(ref _version);
    }

    /// <summary>A job of about 6 KB, as bytes of JSON without line breaks.</summary>
    public static byte[] Job(string workflow, string job, long version)
    {
        var tasks = Enumerable.Range(0, 12).Select(i => new
        {
            id = $"task-{i}",
            name = $"step-{i}",
            status = "running",
            state_msg = new string('x', 300),
            progress = version % 100,
        });
        return System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new
        {
            id = job,
            workflow_id = workflow,
            status = "running",
            progress = $"{version % 100}",
            created_at = "2026-05-04T12:00:00Z",
            updated_at = $"version {version}",
            tasks,
        });
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private IResult AnswerAsync(string workflow, string job)
    {
        Calls++;
        var body = Job(workflow, job, Interlocked.Read(ref _version));
        Interlocked.CompareExchange(ref _answeredAt, Stopwatch.GetTimestamp(), 0);
        return Results.Bytes(body, "application/json");
    }
}
