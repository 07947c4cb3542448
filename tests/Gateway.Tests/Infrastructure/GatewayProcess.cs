using System.Net;

namespace Gateway.Tests.Infrastructure;

/// <summary>A gateway in its own process.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private GatewayProcess(ChildProcess process, Uri address) => (_process, Address) = (process, address);

    public static string Executable => Path.Combine(AppContext.BaseDirectory, "Gateway.dll");

    private static string Run => $"exec dotnet '{Executable}'";

    public Uri Address { get; }

    public string Output => _process.Output;

    /// <summary>The process id.</summary>
    public int Id => _process.Id;

    /// <summary>Starts to read the standard output.</summary>
    public void ReadOutput() => _process.ReadOutput();

    /// <summary>Starts the gateway, and waits until it answers.</summary>
    /// <param name="readsOutput">
    /// False to leave the standard output unread until <see cref="ReadOutput"/> is called.
    /// </param>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, bool readsOutput = true) =>
        StartAsync(environment, FreeAddress(), new SocketsHttpHandler(), readsOutput: readsOutput);

    /// <summary>Starts the gateway at an address, for example that of a process which has ended.</summary>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, Uri address) =>
        StartAsync(environment, address, new SocketsHttpHandler());

    /// <summary>Starts the gateway with a limit of file handles, as <c>ulimit -n</c> sets it.</summary>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, int handles) =>
        StartAsync(environment, FreeAddress(), new SocketsHttpHandler(), ["sh", "-c", $"ulimit -n {handles} && {Run}"]);

    /// <summary>Starts another build of the gateway.</summary>
    /// <param name="executable">The path of its <c>Gateway.dll</c>.</param>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, string executable) =>
        StartAsync(environment, FreeAddress(), new SocketsHttpHandler(), ["dotnet", executable]);

    /// <summary>Starts the gateway with a limit of memory.</summary>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, MemoryContainer container) =>
        StartAsync(environment, FreeAddress(), new SocketsHttpHandler(), container.Run(Run));

    /// <summary>
    /// Starts the gateway as a user that may watch no file: the limit of inotify instances is 0. Skips the test if the
    /// machine does not allow that.
    /// </summary>
    public static async Task<GatewayProcess> StartWithoutFileEventsAsync(Dictionary<string, string?> environment)
    {
        const string Limit = "echo 0 > /proc/sys/user/max_inotify_instances";
        var (exit, _) = await ChildProcess.RunAsync("sh", ["-c", $"unshare -Ur sh -c '{Limit}'"]);
        Assert.SkipUnless(exit == 0, "The machine allows no user namespace.");
        return await StartAsync(environment, FreeAddress(), new SocketsHttpHandler(),
            ["unshare", "-Ur", "sh", "-c", $"{Limit} && {Run}"]);
    }

    /// <summary>
    /// Starts the gateway with another <c>/etc/hosts</c>. Skips the test if the machine does not allow that.
    /// </summary>
    public static async Task<GatewayProcess> StartWithHostsAsync(
        Dictionary<string, string?> environment, string hosts)
    {
        var mount = $"mount --bind {hosts} /etc/hosts";
        var (exit, _) = await ChildProcess.RunAsync("unshare", ["-Urm", "sh", "-c", mount]);
        Assert.SkipUnless(exit == 0, "The machine allows no user namespace.");
        return await StartAsync(environment, FreeAddress(), new SocketsHttpHandler(),
            ["unshare", "-Urm", "sh", "-c", $"{mount} && {Run}"]);
    }

    /// <summary>Starts the gateway with HTTPS.</summary>
    /// <param name="port">The port, or null for any free one.</param>
    public static Task<GatewayProcess> StartAsync(
        Dictionary<string, string?> environment, Certificate https, int? port = null)
    {
        foreach (var (key, value) in https.Settings)
            environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        return StartAsync(environment, new Uri($"https://localhost:{port ?? ChildProcess.FreePort()}/"),
            https.Handler());
    }

    private static Uri FreeAddress() => new($"http://127.0.0.1:{ChildProcess.FreePort()}/");

    private static async Task<GatewayProcess> StartAsync(
        Dictionary<string, string?> environment, Uri address, HttpMessageHandler handler, string[]? command = null,
        bool readsOutput = true)
    {
        environment["ASPNETCORE_URLS"] = address.ToString();
        command ??= ["dotnet", Executable];
        var process = new ChildProcess(command[0], command[1..], environment, readsOutput);
        var isHttp2 = environment.GetValueOrDefault("Kestrel__EndpointDefaults__Protocols") == "Http2";
        using var client = new HttpClient(handler)
        {
            BaseAddress = address,
            DefaultRequestVersion = isHttp2 ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        await process.UntilAsync(async () => await StatusOf(client, "health/live") == HttpStatusCode.OK);
        return new GatewayProcess(process, address);
    }

    public static async Task<HttpStatusCode?> StatusOf(HttpClient client, string path)
    {
        try
        {
            using var response = await client.GetAsync(new Uri(path, UriKind.Relative));
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public HttpClient Client(string key = World.MappingKey)
    {
        var client = new HttpClient(new Canary.Handler()) { BaseAddress = Address };
        client.DefaultRequestHeaders.Add("X-Api-Key", key);
        return client;
    }

    /// <summary>Waits until the gateway has printed a text.</summary>
    public Task UntilPrintedAsync(string text) =>
        _process.UntilAsync(() => Task.FromResult(Output.Contains(text, StringComparison.Ordinal)));

    /// <summary>Sends a signal, for example KILL, STOP or CONT.</summary>
    public void Signal(string signal) => _process.Signal(signal);

    /// <summary>Waits until the process has ended.</summary>
    /// <returns>Its exit code.</returns>
    public Task<int> ExitAsync() => _process.ExitAsync();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Canary.AssertAbsent("text a gateway printed", Output);
    }
}
