using System.Reflection;
using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Browser))]

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// One headless Chromium from the PATH, shared by all tests and started by the first one that needs it.
/// </summary>
public sealed class Browser : IAsyncDisposable
{
    private const string SearchPath = "PLAYWRIGHT_DRIVER_SEARCH_PATH";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60), ActionTimeout = TimeSpan.FromSeconds(20);

    private readonly Lazy<Task<(IPlaywright Playwright, IBrowser Chromium)>> _running;

    public Browser() => _running = new(LaunchAsync);

    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];

    private static string? Program =>
        (from name in Names
         from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
         select Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Opens a tab in a new browser context. Skips the test if there is no Chromium.</summary>
    /// <param name="bypassPolicy">
    /// True to ignore the content security policies of pages, for scripts that a test injects.
    /// </param>
    internal async Task<BrowserTab> OpenAsync(bool bypassPolicy = false)
    {
        Assert.SkipWhen(Program is null, "There is no Chromium on the PATH, and this is about what a browser does.");
        var (_, chromium) = await _running.Value;
        var context = await chromium.NewContextAsync(new() { IgnoreHTTPSErrors = true, BypassCSP = bypassPolicy });
        context.SetDefaultTimeout((float)ActionTimeout.TotalMilliseconds);
        context.SetDefaultNavigationTimeout((float)ActionTimeout.TotalMilliseconds);
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
        if (Environment.GetEnvironmentVariable(SearchPath) is null)
            Environment.SetEnvironmentVariable(SearchPath, Package());
        var playwright = await Playwright.CreateAsync();
        var chromium = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Program,
            Headless = true,
            // Chromium visits only this machine, and may run as root in a container.
            ChromiumSandbox = false,
            Timeout = (float)StartTimeout.TotalMilliseconds,
            Args =
            [
                "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
            ],
        });
        return (playwright, chromium);
    }

    private static string? Package() =>
        typeof(Browser).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .First(one => one.Key == "PlaywrightPackage").Value;
}
