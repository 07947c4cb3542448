using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>
/// Tests what <c>docs/browsers.md</c> says about development on <c>http://localhost</c>: a page on one port, the
/// gateway on another, and no certificate.
/// </summary>
public sealed class LocalhostTests(Browser browser)
{
    private const string Fetch = """
        async url => {
            try {
                return (await fetch(url, { credentials: 'include', headers: { 'X-CSRF': '1' } })).status;
            } catch {
                return 0;
            }
        }
        """;

    [Fact]
    public async Task A_page_on_another_port_of_localhost_logs_in_and_reads_a_job_without_a_certificate()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var page = await TestPage.StartAsync();
        var (app, other) = (OnLocalhost(page.Address), page.Address);
        await using var world = await UserWorld.StartAsync(
            provider, ("Cors:AllowedOrigins:0", app.GetLeftPart(UriPartial.Authority)));
        var gateway = OnLocalhost(world.Gateway.Address);
        provider.Register(gateway);
        await using var tab = await browser.OpenAsync();

        var login = new Uri(gateway, $"bff/login?returnUrl={Uri.EscapeDataString(app.AbsoluteUri)}");
        await tab.Page.GotoAsync(login.AbsoluteUri);
        await tab.Page.FillAsync("#user", "alice");
        await tab.Page.Locator("#sign-in").PressEnterAsync();
        await tab.Page.WaitForURLAsync(app.AbsoluteUri);

        var job = new Uri(gateway, "v0/workflows/survey-1/jobs/finished-1").AbsoluteUri;
        Assert.Equal(200, await tab.Page.EvaluateAsync<int>(Fetch, job));
        // The address 127.0.0.1 is another origin, and to the cookie another site.
        await tab.Page.GotoAsync(other.AbsoluteUri);
        Assert.Equal(0, await tab.Page.EvaluateAsync<int>(Fetch, job));
        world.Gateway.Reconfigure(("Cors:AllowedOrigins:1", other.GetLeftPart(UriPartial.Authority)));
        Assert.Equal(401, await tab.Page.EvaluateAsync<int>(Fetch, job));
    }

    private static Uri OnLocalhost(Uri address) => new UriBuilder(address) { Host = "localhost" }.Uri;
}
