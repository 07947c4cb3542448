using System.Net;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Tests.Infrastructure;

public sealed class BrowserTests(Browser browser)
{
    [Fact]
    public async Task A_browser_signs_in_at_the_provider_and_returns_to_the_client_with_a_code()
    {
        await using var client = await TestPage.StartAsync("<p id=\"landed\">Here</p>");
        await using var provider = await IdentityProvider.StartedAsync();
        provider.Register(client.Address);
        using var party = new RelyingParty(provider, new Uri(client.Address, "bff/callback"));
        await using var tab = await browser.OpenAsync();

        await tab.Page.GotoAsync(new Uri(provider.Address, RelyingParty.Url(party.Request())).AbsoluteUri);
        await tab.Page.Locator("#user").FillAsync("alice");
        await tab.Page.Locator("#sign-in").PressEnterAsync();
        Assert.Equal("Here", await tab.Page.Locator("#landed").TextContentAsync());

        var landed = new Uri(tab.Page.Url);
        Assert.Equal("/bff/callback", landed.AbsolutePath);
        Assert.Equal(landed, Assert.Single(client.Visits).Address);
        var (status, _) = await party.RedeemAsync(QueryHelpers.ParseQuery(landed.Query)["code"].ToString());
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Empty(tab.ConsoleErrors);
        Assert.Empty(tab.FailedRequests);
    }

    [Fact]
    public async Task A_wrong_user_name_is_asked_for_again_and_a_login_is_valid_in_one_browser()
    {
        await using var client = await TestPage.StartAsync();
        await using var provider = await IdentityProvider.StartedAsync();
        provider.Register(client.Address);
        using var party = new RelyingParty(provider, new Uri(client.Address, "bff/callback"));
        var address = new Uri(provider.Address, RelyingParty.Url(party.Request())).AbsoluteUri;
        await using var tab = await browser.OpenAsync();
        await using var somebody = await browser.OpenAsync();

        await tab.Page.GotoAsync(address);
        await SignInAsync(tab, "mallory");
        Assert.Equal("There is no such user.", await tab.Page.Locator("#message").TextContentAsync());
        await SignInAsync(tab, "bob");
        await tab.Page.WaitForURLAsync(url => new Uri(url).Port == client.Address.Port);

        // The provider now knows this browser, and no other one.
        await using var other = await tab.OpenAnotherAsync();
        await other.Page.GotoAsync(address);
        Assert.Equal(client.Address.Port, new Uri(other.Page.Url).Port);
        await somebody.Page.GotoAsync(address);
        Assert.Equal(1, await somebody.Page.Locator("#user").CountAsync());
    }

    [Fact]
    public async Task A_page_is_served_over_TLS_to_browsers_and_clients_that_trust_its_certificate()
    {
        using var certificate = new Certificate();
        await using var page = await TestPage.StartAsync(
            "<p id=\"secure\"></p><script>document.all.secure.textContent = isSecureContext</script>", certificate);
        await using var tab = await browser.OpenAsync();
        await tab.Page.GotoAsync(page.Address.AbsoluteUri);
        Assert.Equal("true", await tab.Page.Locator("#secure").TextContentAsync());

        using var trusting = new HttpClient(certificate.Handler());
        Assert.Contains("secure", await trusting.GetStringAsync(page.Address, World.Cancellation),
            StringComparison.Ordinal);
        using var another = new Certificate();
        using var distrusting = new HttpClient(another.Handler());
        await Assert.ThrowsAsync<HttpRequestException>(
            () => distrusting.GetStringAsync(page.Address, World.Cancellation));
    }

    [Fact]
    public async Task Errors_in_a_tab_are_recorded()
    {
        await using var elsewhere = await TestPage.StartAsync();
        await using var page = await TestPage.StartAsync();
        page.Body = $"""
            <script>
            console.error("first");
            fetch("{elsewhere.Address}").catch(() => document.body.id = "refused");
            setTimeout(() => notThere());
            </script>
            """;
        await using var tab = await browser.OpenAsync();

        await tab.Page.GotoAsync(page.Address.AbsoluteUri);
        await tab.Page.Locator("#refused")
            .WaitForAsync(new() { State = Microsoft.Playwright.WaitForSelectorState.Attached });

        await Wait.UntilAsync(
            TimeSpan.FromSeconds(10), () => tab.ConsoleErrors.Count >= 3 && tab.FailedRequests.Count > 0,
            "the errors are recorded");
        Assert.Contains(tab.ConsoleErrors, line => line.StartsWith("first", StringComparison.Ordinal));
        Assert.Contains(tab.ConsoleErrors, line => line.Contains("notThere", StringComparison.Ordinal));
        Assert.Contains(tab.FailedRequests, line =>
            line.Contains(elsewhere.Address.AbsoluteUri, StringComparison.Ordinal));
        Assert.Equal(page.Address.GetLeftPart(UriPartial.Authority), Assert.Single(elsewhere.Visits).Headers["Origin"]);
    }

    private static async Task SignInAsync(BrowserTab tab, string user)
    {
        await tab.Page.Locator("#user").FillAsync(user);
        await tab.Page.Locator("#sign-in").PressEnterAsync();
    }
}
