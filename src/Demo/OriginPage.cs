using System.Globalization;
using Microsoft.AspNetCore.Builder;

namespace Demo;

/// <summary>A page on an origin of its own, to try the gateway's calls of another origin with.</summary>
internal sealed class OriginPage : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _gatewayPort;

    private OriginPage(WebApplication app) => _app = app;

    /// <summary>The page's address, such as <c>http://127.0.0.1:5083/</c>.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1/");

    /// <summary>The page's origins, by either name of this machine.</summary>
    public string[] Origins => [.. Names.Select(name => Origin(name, Address.Port))];

    // The page and the gateway must be on one site: both by number, or both by name.
    private static string[] Names => ["127.0.0.1", "localhost"];

    /// <summary>Starts on loopback.</summary>
    /// <param name="port">The port; 0 picks a free one.</param>
    /// <param name="cancellation">Cancels the start.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<OriginPage> StartAsync(int port, CancellationToken cancellation = default)
    {
        var app = LoopbackServer.Create(port).Build();
        var page = new OriginPage(app);
        app.UseRouting();
        foreach (var (path, type, file) in ((string, string, string)[])[("/", "text/html", "index.html"),
            ("/page.mjs", "text/javascript", "page.mjs"), ("/style.css", "text/css", "style.css")])
        {
            var text = LoopbackServer.Text(file);
            app.MapGet(path, http => LoopbackServer.WriteAsync(http, type, text.Replace(
                "{gateway-port}", page._gatewayPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal),
                page.Policy()));
        }
        page.Address = await LoopbackServer.StartAsync(app, cancellation);
        return page;
    }

    /// <summary>Tells the page where the gateway is.</summary>
    public void Use(Uri gateway) => _gatewayPort = gateway.Port;

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private string Policy() => "script-src 'self'; style-src 'self'; img-src data:; form-action 'none'; connect-src "
        + string.Join(' ', Names.Select(name => Origin(name, _gatewayPort)));

    private static string Origin(string name, int port) =>
        string.Create(CultureInfo.InvariantCulture, $"http://{name}:{port}");
}
