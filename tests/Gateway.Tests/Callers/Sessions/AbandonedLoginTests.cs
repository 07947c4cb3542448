using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>
/// Tests logins that users leave, with a real browser, an nginx that ends TLS with its default buffers, and a certified
/// provider. The certificates are those of a private authority.
/// </summary>
public sealed class AbandonedLoginTests(Browser browser)
{
    private const string User = """
        async () => {
            const answer = await fetch('/bff/user', { headers: { 'X-CSRF': '1' } });
            return `${answer.status} ${await answer.text()}`;
        }
        """;

    [Fact]
    public async Task After_30_abandoned_logins_the_first_and_the_next_login_succeed()
    {
        using var authority = new PrivateAuthority();
        await using var provider = new CertifiedProvider();
        provider.UseHttps(authority.Issue("provider"));
        await using var world = await World.WithoutGatewayAsync(clock: null, provider.Settings(
            ("Authentication:Oidc:CertificateAuthority", authority.Path),
            ("ForwardedHeaders:KnownProxies:0", "127.0.0.1"), ("Logging:LogLevel:Default", "Information"),
            ("Logging:LogLevel:Microsoft.AspNetCore", "Warning")));
        await using var gateway = await GatewayProcess.StartAsync(world.Environment());
        await using var nginx = await NginxProxy.StartAsync(gateway.Address, """
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            """, https: authority.Issue("nginx"));
        provider.Register(nginx.Address);
        await provider.StartAsync();
        var login = new Uri(nginx.Address, "bff/login?returnUrl=/view").AbsoluteUri;
        await using var first = await browser.OpenAsync();
        // The provider may need a moment to answer at first, and the page then offers to log in again.
        await first.Page.GotoAsync(login);
        while (await first.Page.GetByText("Log in again").IsVisibleAsync())
            await first.Page.GetByText("Log in again").ClickAsync();
        await using var tab = await first.OpenAnotherAsync();

        for (var i = 0; i < 30; i++) await tab.Page.GotoAsync(login);

        var cookies = await tab.Context.CookiesAsync([nginx.Address.AbsoluteUri]);
        var cookie = Assert.Single(cookies);
        Assert.InRange(cookie.Name.Length + cookie.Value.Length, 1, 200);
        Assert.InRange(cookie.Expires, DateTimeOffset.UtcNow.AddMinutes(10).ToUnixTimeSeconds(),
            DateTimeOffset.UtcNow.AddMinutes(16).ToUnixTimeSeconds());
        await CertifiedProvider.SignInAsync(first.Page, "alice");
        await first.Page.WaitForURLAsync(new Uri(nginx.Address, "view").AbsoluteUri);
        Assert.Contains("\"teams\":[\"mapping\"]", await first.Page.EvaluateAsync<string>(User),
            StringComparison.Ordinal);
        // The provider knows the user by now, and asks nothing.
        await tab.Page.GotoAsync(login);
        await tab.Page.WaitForURLAsync(new Uri(nginx.Address, "view").AbsoluteUri);
        Assert.StartsWith("200 ", await tab.Page.EvaluateAsync<string>(User), StringComparison.Ordinal);
    }
}
