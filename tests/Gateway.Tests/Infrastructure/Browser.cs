using System.Reflection;
using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Browser))]

namespace Gateway.Tests.Infrastructure;

/// <summary>One headless Chromium for all tests, from the first that wants it; it is the one on the PATH.</summary>
public sealed class Browser : IAsyncDisposable
{
    private const string SearchPath = "PLAYWRIGHT_DRIVER_SEARCH_PATH";

    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60), Patience = TimeSpan.FromSeconds(20);

    private readonly Lazy<Task<(IPlaywright Playwright, IBrowser Chromium)>> _running;

    public Browser() => _running = new(LaunchAsync);

    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];

    private static string? Program =>
        (from name in Names
         from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
         select Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>A tab in a browser that nobody has used before. Skips the test where there is no Chromium.</summary>
    /// <param name="bypassPolicy">
    /// Whether pages' content security policies do not count, for what a test brings into a page.
    /// </param>
    internal async Task<BrowserTab> OpenAsync(bool bypassPolicy = false)
    {
        Assert.SkipWhen(Program is null, "There is no Chromium on the PATH, and this is about what a browser does.");
        var (_, chromium) = await _running.Value;
        var context = await chromium.NewContextAsync(new() { IgnoreHTTPSErrors = true, BypassCSP = bypassPolicy });
        context.SetDefaultTimeout((float)Patience.TotalMilliseconds);
        context.SetDefaultNavigationTimeout((float)Patience.TotalMilliseconds);
        return new BrowserTab(await context.NewPageAsync());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_running.IsValueCreated) return;
        var (playwright, chromium) = await _running.Value;
        await chromium.DisposeAsync();
        playwright.Dispose();
    }

    private static async Task<(IPlaywright Playwright, IBrowser Chromium)> LaunchAsync()
    {
        if (Environment.GetEnvironmentVariable(SearchPath) is null) Environment.SetEnvironmentVariable(SearchPath, Package());
        var playwright = await Playwright.CreateAsync();
        var chromium = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Program,
            Headless = true,
            // Everything it visits is on this machine, and it may run as root in a container.
            ChromiumSandbox = false,
            Timeout = (float)StartPatience.TotalMilliseconds,
            Args =
            [
                "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
            ],
        });
        return (playwright, chromium);
    }

    private static string? Package() =>
        typeof(Browser).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(one => one.Key == "PlaywrightPackage").Value;
}
