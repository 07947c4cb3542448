using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Gateway.WatchingBench;

// Arguments: the folder of the published gateway, the number of connections, the number of rounds.
var (folder, count, rounds) = (args[0], int.Parse(args[1], CultureInfo.InvariantCulture),
    int.Parse(args[2], CultureInfo.InvariantCulture));
const string Key = "bench-key-0123456789", Path = "/v0/workflows/survey-1/jobs/job-7";
// The first changes warm the server up: its code is compiled again while it runs.
const int WarmUp = 6, Changes = 4, GatewayPort = 18080, UpstreamPort = 18081, NginxPort = 18082;
var warmUpTime = TimeSpan.FromSeconds(20);
var betweenChanges = TimeSpan.FromSeconds(4);

await using var upstream = await Upstream.StartAsync(UpstreamPort);
var temporary = Directory.CreateTempSubdirectory("gateway-watching-");
var results = new List<(double Gateway, double Nchan, double Last)>();
for (var round = 1; round <= rounds; round++)
{
    var (gateway, last) = await MeasureGatewayAsync();
    var nchan = await MeasureNchanAsync();
    results.Add((gateway, nchan, last));
    Console.WriteLine($"round {round}: an event costs {gateway:0.0} us at the gateway and {nchan:0.0} us at nchan; "
        + $"the last of {count} readers has it after {last:0.00} s");
}
var ratio = Median(results.Select(one => one.Gateway / one.Nchan));
var slowest = Median(results.Select(one => one.Last));
var (memory, idle, quiet, polling) = await MeasureMemoryAndPollsAsync();
Console.WriteLine($"""

    CPU of an event, gateway / nchan:  {ratio:0.00}  (at most 2)
    change to the last reader:         {slowest:0.00} s  (at most 1)
    memory of a stream:                {(memory - idle) / 1024:0.0} KiB above an idle connection  (at most 20)
    CPU of {count} streams of a job that changes every 30 s:  {quiet * 1000:0.0} ms a second
    CPU of {count} clients that poll it every 2 s:            {polling * 1000:0.0} ms a second
    polls / streams:                   {polling / quiet:0}  (at least 7)
    """);
Directory.Delete(temporary.FullName, recursive: true);
return ratio <= 2 && slowest <= 1 && memory - idle <= 20 * 1024 && polling / quiet >= 7 ? 0 : 4;

async Task<(double CpuOfEvent, double Last)> MeasureGatewayAsync()
{
    using var server = await StartGatewayAsync();
    using var readers = new Readers(GatewayPort, GetStream($"{Path}/events"), "event: job");
    await readers.OpenAsync(count);
    await UntilAsync(() => readers.Events >= count);
    var lasts = new List<double>();
    var cpu = TimeSpan.Zero;
    for (var i = 1; i <= WarmUp + Changes; i++)
    {
        if (i == WarmUp + 1) cpu = server.CpuTime;
        upstream.Change();
        await UntilAsync(() => readers.Events >= count * (i + 1L));
        if (i > WarmUp) lasts.Add(Stopwatch.GetElapsedTime(upstream.AnsweredAt, readers.LastAt).TotalSeconds);
    }
    return ((server.CpuTime - cpu).TotalMicroseconds / (count * (double)Changes), lasts.Max());
}

async Task<double> MeasureNchanAsync()
{
    var file = System.IO.Path.Combine(temporary.FullName, "nginx.conf");
    await File.WriteAllTextAsync(file, $$"""
        load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
        daemon off;
        user root;
        worker_processes 1;
        
        pid {{temporary.FullName}}/nginx.pid;
        events { worker_connections 19000; }
        http {
          access_log off;
          server {
            listen 127.0.0.1:{{NginxPort}} backlog=4096;
            location = /subscribe { nchan_subscriber eventsource; nchan_channel_id job; }
            location = /publish { nchan_publisher; nchan_channel_id job; nchan_message_buffer_length 1; }
          }
        }
        """);
    using var server = await Server.StartAsync("/usr/sbin/nginx", $"-c {file} -e stderr", NginxPort);
    using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{NginxPort}/") };
    using var readers = new Readers(NginxPort, GetStream("/subscribe"), "\nid: ");
    await PublishAsync(http, 0);
    await readers.OpenAsync(count);
    await UntilAsync(() => readers.Events >= count);
    var cpu = TimeSpan.Zero;
    for (var i = 1; i <= WarmUp + Changes; i++)
    {
        if (i == WarmUp + 1) cpu = server.CpuTime;
        await PublishAsync(http, i);
        await UntilAsync(() => readers.Events >= count * (i + 1L));
        // As at the gateway, where a change waits for a poll.
        await Task.Delay(betweenChanges / 2);
    }
    return (server.CpuTime - cpu).TotalMicroseconds / (count * (double)Changes);
}

async Task<(double Stream, double Idle, double Quiet, double Polling)> MeasureMemoryAndPollsAsync()
{
    double idle, polling, stream, quiet;
    var time = TimeSpan.FromSeconds(20);
    using (var server = await StartGatewayAsync())
    {
        var tag = await TagAsync();
        var before = server.Memory;
        using var pollers = new Readers(GatewayPort, Get(Path, $"If-None-Match: {tag}\r\n"), "304 Not Modified");
        await pollers.OpenAsync(count);
        await UntilAsync(() => pollers.Events >= count);
        await Task.Delay(TimeSpan.FromSeconds(5));
        idle = (server.Memory - before) / (double)count;
        await pollers.PollAsync(TimeSpan.FromSeconds(2), warmUpTime);
        var cpu = server.CpuTime;
        await pollers.PollAsync(TimeSpan.FromSeconds(2), time);
        polling = (server.CpuTime - cpu) / time;
    }
    using (var server = await StartGatewayAsync())
    {
        await TagAsync();
        var before = server.Memory;
        using var readers = new Readers(GatewayPort, GetStream($"{Path}/events"), "event: job");
        await readers.OpenAsync(count);
        await UntilAsync(() => readers.Events >= count);
        await Task.Delay(TimeSpan.FromSeconds(5));
        stream = (server.Memory - before) / (double)count;
        for (var i = 1; i <= WarmUp; i++)
        {
            upstream.Change();
            await UntilAsync(() => readers.Events >= count * (i + 1L));
        }
        // One job is polled so seldom that the code of a poll would be compiled again for minutes.
        var others = string.Join('&', Enumerable.Range(0, 60).Select(i => $"job=survey-1/other-{i}"));
        using (var warmUp = new Readers(GatewayPort, GetStream($"/v0/events?{others}"), "event: job"))
        {
            await warmUp.OpenAsync(1);
            await Task.Delay(warmUpTime);
        }
        var minute = TimeSpan.FromMinutes(1);
        var cpu = server.CpuTime;
        for (var i = 0; i < 2; i++)
        {
            upstream.Change();
            await Task.Delay(minute / 2);
        }
        quiet = (server.CpuTime - cpu) / minute;
        var isWhole = readers.Events >= (WarmUp + 3L) * count && readers.Closed == 0;
        if (!isWhole) throw new InvalidOperationException("An event is missing");
    }
    return (stream, idle, quiet, polling);
}

Task<Server> StartGatewayAsync() => Server.StartAsync("dotnet", $"{folder}/Gateway.dll", GatewayPort, new()
{
    ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{GatewayPort}",
    ["Upstream__BaseAddress"] = $"http://127.0.0.1:{UpstreamPort}/",
    ["Upstream__Accounts__default__Credential"] = "Bearer bench-credential",
    ["Teams__mapping__Workflows__0"] = "*",
    ["Teams__mapping__Quota"] = "plenty",
    ["Teams__mapping__ApiKeys__0__Id"] = "bench",
    ["Teams__mapping__ApiKeys__0__Sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Key))),
    ["Quotas__plenty__Requests"] = "10000000",
    ["Quotas__plenty__Burst"] = "1000000",
    ["Server__MaxConnections"] = "19000",
    ["Logging__LogLevel__Default"] = "Warning",
});

async Task<string> TagAsync()
{
    using var client = new HttpClient();
    client.DefaultRequestHeaders.Add("X-Api-Key", Key);
    using var answer = await client.GetAsync(new Uri($"http://127.0.0.1:{GatewayPort}{Path}"));
    return answer.Headers.ETag!.ToString();
}

static Task PublishAsync(HttpClient http, long version) => http.PostAsync(
    new Uri("publish", UriKind.Relative), new ByteArrayContent(Upstream.Job("survey-1", "job-7", version)));

static string Get(string path, string headers = "") =>
    $"GET {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {Key}\r\n{headers}\r\n";

static string GetStream(string path) => Get(path, "Accept: text/event-stream\r\n");

static async Task UntilAsync(Func<bool> holds)
{
    var started = Stopwatch.GetTimestamp();
    while (!holds())
    {
        if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromMinutes(1)) throw new TimeoutException();
        await Task.Delay(5);
    }
}

static double Median(IEnumerable<double> values)
{
    double[] sorted = [.. values.Order()];
    return sorted[sorted.Length / 2];
}
