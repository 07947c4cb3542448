using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Gateway.Callers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Gateway.HitCost;

/// <summary>The gateway as it is, and a bare Kestrel that writes a job's bytes.</summary>
internal static class Hosts
{
    public const string Key = "gwk_measured";

    private const string Address = "http://127.0.0.1:0";

    /// <summary>A finished job of some 6 KB.</summary>
    public static byte[] Job { get; } = JsonSerializer.SerializeToUtf8Bytes(new
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

    public static async Task StartBareAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address);
        new Measured().Configure(builder.WebHost);
        var app = builder.Build();
        app.Run(http =>
        {
            http.Response.ContentType = "application/json";
            http.Response.ContentLength = Job.Length;
            var writing = http.Response.BodyWriter.WriteAsync(Job);
            return writing.IsCompletedSuccessfully ? Task.CompletedTask : writing.AsTask();
        });
        await app.StartAsync();
    }

    public static async Task StartGatewayAsync()
    {
        var settings = new Dictionary<string, string?>
        {
            ["urls"] = Address,
            ["http_ports"] = null,
            ["https_ports"] = null,
            ["ConnectionStrings:Redis"] = "",
            ["Management:Port"] = "0",
            ["PathBase"] = "",
            ["Upstream:BaseAddress"] = $"http://{StartUpstream()}",
            ["Upstream:Accounts:default:Credential"] = "a-credential",
            ["Upstream:Accounts:default:CredentialFile"] = "",
            ["Authentication:Jwt:Authority"] = "",
            ["Authentication:Oidc:Authority"] = "",
            ["Teams:measured:Account"] = "default",
            ["Teams:measured:Workflows:0"] = "survey-*",
            ["Teams:measured:Quota"] = "ample",
            ["Teams:measured:ApiKeys:0:Id"] = "measured",
            ["Teams:measured:ApiKeys:0:Sha256"] = KeyHash.Of(Key).ToString(),
            // So that what is left has as many digits each time.
            ["Quotas:ample:Requests"] = "10000000",
            ["Quotas:ample:Burst"] = "2000000",
            ["Logging:LogLevel:Default"] = "Warning",
            ["Logging:LogLevel:Gateway"] = "Information",
        };
        var app = Gateway.Program.Build([$"--hostingStartupAssemblies={typeof(Measured).Assembly.GetName().Name}"], settings);
        await app.StartAsync();
    }

    // It is asked once; whatever is a hit is not its.
    private static EndPoint StartUpstream()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = AnswerOnceAsync(listener);
        return listener.LocalEndpoint;
    }

    private static async Task AnswerOnceAsync(TcpListener listener)
    {
        using var caller = await listener.AcceptTcpClientAsync();
        listener.Stop();
        await using var stream = caller.GetStream();
        using var request = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        while (await request.ReadLineAsync() is { Length: > 0 }) { }
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Job.Length}\r\nConnection: close\r\n\r\n"));
        await stream.WriteAsync(Job);
    }
}
