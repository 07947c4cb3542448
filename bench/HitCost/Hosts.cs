using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Callers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Gateway.HitCost;

/// <summary>The gateway, and a bare Kestrel that writes a job's bytes.</summary>
internal static class Hosts
{
    public const string Key = "gwk_measured";

    private const string Address = "http://127.0.0.1:0";

    public static async Task StartBareAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address);
        Measured.Add(builder.Services);
        var app = builder.Build();
        app.Run(http =>
        {
            http.Response.ContentType = "application/json";
            http.Response.ContentLength = SampleJob.Bytes.Length;
            var writing = http.Response.BodyWriter.WriteAsync(SampleJob.Bytes);
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
            // Large, so that the remaining permits have the same number of digits in each answer.
            ["Quotas:ample:Requests"] = "10000000",
            ["Quotas:ample:Burst"] = "2000000",
            ["Logging:LogLevel:Default"] = "Warning",
            ["Logging:LogLevel:Gateway"] = "Information",
        };
        Measured.AddToNextHost();
        var app = Gateway.Program.Build([], settings);
        await app.StartAsync();
    }

    // The upstream is called once; hits do not reach it.
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
            $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            + $"{SampleJob.Bytes.Length}\r\nConnection: close\r\n\r\n"));
        await stream.WriteAsync(SampleJob.Bytes);
    }
}
