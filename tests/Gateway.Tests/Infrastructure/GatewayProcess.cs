using System.Net;

namespace Gateway.Tests.Infrastructure;

/// <summary>A gateway in a process of its own.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private GatewayProcess(ChildProcess process, Uri address) => (_process, Address) = (process, address);

    public static string Executable => Path.Combine(AppContext.BaseDirectory, "Gateway.dll");

    public Uri Address { get; }

    public string Output => _process.Output;

    /// <summary>Its id, of the operating system.</summary>
    public int Id => _process.Id;

    /// <summary>Reads what it prints from now on.</summary>
    public void ReadOutput() => _process.ReadOutput();

    /// <summary>Starts it, and waits until it answers.</summary>
    /// <param name="readsOutput">
    /// False: nobody reads its standard output until <see cref="ReadOutput"/> is called.
    /// </param>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, bool readsOutput = true) =>
        StartAsync(environment, FreeAddress(), new SocketsHttpHandler(), readsOutput: readsOutput);

    /// <summary>Starts it with as few file handles as a shell's <c>ulimit -n</c> says.</summary>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, int handles) =>
        StartAsync(environment, FreeAddress(), new SocketsHttpHandler(), handles);

    /// <summary>Starts it with https.</summary>
    /// <param name="port">Where; another, if none is given.</param>
    public static Task<GatewayProcess> StartAsync(Dictionary<string, string?> environment, Certificate https, int? port = null)
    {
        foreach (var (key, value) in https.Settings) environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        return StartAsync(environment, new Uri($"https://localhost:{port ?? ChildProcess.FreePort()}/"), https.Handler());
    }

    private static Uri FreeAddress() => new($"http://127.0.0.1:{ChildProcess.FreePort()}/");

    private static async Task<GatewayProcess> StartAsync(
        Dictionary<string, string?> environment, Uri address, HttpMessageHandler handler, int handles = 0, bool readsOutput = true)
    {
        environment["ASPNETCORE_URLS"] = address.ToString();
        var process = handles == 0 ? new ChildProcess("dotnet", [Executable], environment, readsOutput)
            : new ChildProcess("sh", ["-c", $"ulimit -n {handles} && exec dotnet '{Executable}'"], environment);
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

    /// <summary>Waits until it has printed something.</summary>
    public Task UntilPrintedAsync(string what) => _process.UntilAsync(() => Task.FromResult(Output.Contains(what, StringComparison.Ordinal)));

    /// <summary>Sends it a signal, such as KILL, STOP or CONT.</summary>
    public void Signal(string signal) => _process.Signal(signal);

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Canary.AssertAbsent("what a gateway printed", Output);
    }
}
