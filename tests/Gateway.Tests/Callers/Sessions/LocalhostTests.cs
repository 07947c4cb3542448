using System.Globalization;
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

    private const string ReadDate = """
        async url => (await fetch(url, {
            credentials: 'include',
            headers: { 'X-CSRF': '1', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
        })).headers.get('Date')
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

    [Fact]
    public async Task A_page_of_another_origin_uses_a_session_that_a_certified_provider_began()
    {
        await using var provider = new CertifiedProvider();
        await using var page = await TestPage.StartAsync();
        var app = OnLocalhost(page.Address);
        await using var world = await World.StartAsync(provider.Settings(
            ("Cors:AllowedOrigins:0", app.GetLeftPart(UriPartial.Authority))));
        var gateway = OnLocalhost(world.Gateway.Address);
        provider.Register(gateway);
        await provider.StartAsync();
        await using var tab = await browser.OpenAsync();

        var login = new Uri(gateway, $"bff/login?returnUrl={Uri.EscapeDataString(app.AbsoluteUri)}&onError=return");
        await tab.Page.GotoAsync(login.AbsoluteUri);
        await CertifiedProvider.SignInAsync(tab.Page, "alice");
        await tab.Page.WaitForURLAsync(app.AbsoluteUri);

        var job = new Uri(gateway, "v0/workflows/survey-1/jobs/finished-1").AbsoluteUri;
        Assert.Equal(200, await tab.Page.EvaluateAsync<int>(Fetch, job));
        var date = await tab.Page.EvaluateAsync<string>(ReadDate, job);
        Assert.True(DateTimeOffset.TryParse(date, CultureInfo.InvariantCulture, out _), date);
    }

    private static Uri OnLocalhost(Uri address) => new UriBuilder(address) { Host = "localhost" }.Uri;
}
