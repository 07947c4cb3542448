using System.Text.RegularExpressions;
using Deque.AxeCore.Playwright;
using Gateway.Tests.Infrastructure;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Gateway.Tests.Commands;

/// <summary>The demo as a user of a browser sees it: a process of its own, and a real Chromium.</summary>
public sealed class DemoTests(Browser browser)
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public async Task A_user_logs_in_from_a_page_of_another_origin_reads_a_job_follows_it_and_logs_out(string host)
    {
        await using var tab = await browser.OpenAsync();
        await using var demo = await RunningDemo.StartAsync();
        var (page, address) = (tab.Page, demo.Page(host));
        await page.GotoAsync(address);
        await Expect(page.Locator("#user")).ToHaveTextAsync("Nobody is logged in.");

        await page.ClickAsync("#log-in");
        await Expect(page).ToHaveURLAsync(new Regex($"^{Regex.Escape(demo.Provider)}authorize"));
        await page.ClickAsync("#sam");

        await Expect(page).ToHaveURLAsync(address);
        await Expect(page.Locator("#user")).ToHaveTextAsync("Sam Survey is logged in, for the teams: survey.");
        var session = (await page.Context.CookiesAsync()).Single(cookie => cookie.Name == "__Host-Http-gateway");
        Assert.Equal((true, true, SameSiteAttribute.Strict, host),
            (session.Secure, session.HttpOnly, session.SameSite, session.Domain));

        await page.FillAsync("#job", "run-3");
        await page.ClickAsync("#read");
        await Expect(page.Locator("#output")).ToContainTextAsync("Cache-Status: Gateway; fwd=uri-miss");
        await page.ClickAsync("#follow");
        await Expect(page.Locator("#output")).ToContainTextAsync("event: end");
        await Expect(page.Locator("#output")).ToContainTextAsync("\"status\":\"completed\"");
        await page.FillAsync("#workflow", "harbour");
        await page.ClickAsync("#read");
        await Expect(page.Locator("#output")).ToContainTextAsync("403 Your team may not read this workflow");
        // The refusal is what the last step asked for, and a browser reports each as an error.
        Assert.DoesNotContain(tab.ConsoleErrors,
            error => !error.Contains("status of 401", StringComparison.Ordinal)
                && !error.Contains("status of 403", StringComparison.Ordinal));

        await page.ClickAsync("#log-out");
        await Expect(page).ToHaveURLAsync(address);
        await Expect(page.Locator("#user")).ToHaveTextAsync("Nobody is logged in.");
        Assert.DoesNotContain(await page.Context.CookiesAsync(), cookie => cookie.Name == "__Host-Http-gateway");
    }

    [Fact]
    public async Task Each_visit_of_the_page_follows_a_job_of_its_own_from_its_beginning_and_the_log_is_readable()
    {
        await using var tab = await browser.OpenAsync();
        await using var demo = await RunningDemo.StartAsync();
        var page = tab.Page;
        await page.GotoAsync(demo.Page("127.0.0.1"));
        await page.ClickAsync("#log-in");
        await page.ClickAsync("#mona");
        await Expect(page.Locator("#user")).ToContainTextAsync("Mona Mapping is logged in");
        var first = await page.InputValueAsync("#job");
        await page.ClickAsync("#follow");
        await Expect(page.Locator("#output")).ToContainTextAsync($"\"id\":\"{first}\"");
        await Expect(page.Locator("#output")).ToContainTextAsync("\"status\":\"queued\"");
        await page.ReloadAsync();

        Assert.Matches("^run-10-[a-z0-9]+$", first);
        Assert.NotEqual(first, await page.InputValueAsync("#job"));
        Assert.Matches("(?m)^[0-9]{2}:[0-9]{2}:[0-9]{2} info: .*Audit.* mona login .*succeeded", demo.Output);
    }

    [Fact]
    public async Task A_user_who_cancels_is_not_logged_in_and_can_log_in_at_the_gateways_own_page_afterwards()
    {
        await using var tab = await browser.OpenAsync();
        await using var demo = await RunningDemo.StartAsync();
        var page = tab.Page;
        await page.GotoAsync(demo.Page("127.0.0.1"));
        await page.ClickAsync("#log-in");
        await page.ClickAsync("#cancel");

        await Expect(page).Not.ToHaveURLAsync(new Regex($"^{Regex.Escape(demo.Provider)}"));
        Assert.DoesNotContain(await page.Context.CookiesAsync(), cookie => cookie.Name == "__Host-Http-gateway");

        var job = $"{demo.Gateway}view/workflows/harbour/jobs/finished-1";
        await page.GotoAsync($"{demo.Gateway}bff/login?returnUrl={Uri.EscapeDataString(new Uri(job).AbsolutePath)}");
        await page.ClickAsync("#mona");
        await Expect(page).ToHaveURLAsync(job);
        await Expect(page.Locator("body")).ToContainTextAsync("completed");
    }

    [Fact]
    public async Task The_pages_of_the_demo_are_accessible_and_fit_a_narrow_screen()
    {
        await using var tab = await browser.OpenAsync(bypassPolicy: true);
        await using var demo = await RunningDemo.StartAsync();
        await tab.Page.SetViewportSizeAsync(360, 740);
        await tab.Page.GotoAsync(demo.Page("127.0.0.1"));
        await Expect(tab.Page.Locator("#user")).ToHaveTextAsync("Nobody is logged in.");
        await AssertFineAsync();
        await tab.Page.ClickAsync("#log-in");
        await Expect(tab.Page.Locator("#cancel")).ToBeVisibleAsync();
        await AssertFineAsync();

        async Task AssertFineAsync()
        {
            var found = await tab.Page.RunAxe();
            Assert.NotEmpty(found.Passes);
            Assert.Equal([], found.Violations.Select(violation => $"{tab.Page.Url}: {violation.Id} {violation.Help}"));
            Assert.True(await tab.Page.EvaluateAsync<bool>(
                "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"));
        }
    }

    [Fact]
    public async Task The_provider_lets_no_other_client_log_users_in()
    {
        await using var demo = await RunningDemo.StartAsync();
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        var right = $"{demo.Provider}authorize?client_id=gateway-demo&response_type=code&scope=openid&code_challenge="
            + $"{new string('a', 43)}&code_challenge_method=S256&choice=mona&redirect_uri=";
        Assert.Equal(302, await StatusAsync($"{right}{demo.Gateway}bff/callback"));
        Assert.Equal(400, await StatusAsync($"{right}http://evil.example/bff/callback"));
        Assert.Equal(400, await StatusAsync($"{right}{demo.Provider}bff/callback"));
        Assert.Equal(400, await StatusAsync($"{right.Replace("gateway-demo", "other", StringComparison.Ordinal)}"
            + $"{demo.Gateway}bff/callback"));
        Assert.Equal(400, await StatusAsync($"{right.Replace("S256", "plain", StringComparison.Ordinal)}"
            + $"{demo.Gateway}bff/callback"));

        async Task<int> StatusAsync(string address)
        {
            using var answer = await client.GetAsync(address, World.Cancellation);
            return answer.Headers.Location?.Query.Contains("error=", StringComparison.Ordinal) == true
                ? 400 : (int)answer.StatusCode;
        }
    }

    [Fact]
    public async Task Only_the_demo_loads_the_provider()
    {
        const string Library = "OpenIddict.Server.dll";
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux lists the files that a process has loaded.");
        await using var demo = await RunningDemo.StartAsync();
        using var client = new HttpClient();
        await client.GetStringAsync($"{demo.Provider}.well-known/openid-configuration", World.Cancellation);
        await using var gateway = await GatewayProcess.StartAsync(new()
        {
            ["Upstream__BaseAddress"] = "http://127.0.0.1:9/",
            ["Upstream__Accounts__default__Credential"] = Canary.Credential,
        });

        Assert.Contains(Library, await LoadedAsync(demo.Id), StringComparison.Ordinal);
        var loaded = await LoadedAsync(gateway.Id);
        Assert.Contains("Gateway.dll", loaded, StringComparison.Ordinal);
        Assert.DoesNotContain("OpenIddict", loaded, StringComparison.Ordinal);
        Assert.DoesNotContain("/Demo.dll", loaded, StringComparison.Ordinal);
        foreach (var path in (string[])["authorize", "token", ".well-known/openid-configuration", "keys"])
        {
            using var answer = await client.GetAsync(new Uri(gateway.Address, path), World.Cancellation);
            Assert.Equal(System.Net.HttpStatusCode.NotFound, answer.StatusCode);
        }

        static Task<string> LoadedAsync(int process) =>
            File.ReadAllTextAsync($"/proc/{process}/maps", World.Cancellation);
    }

    /// <summary>A demo on free ports.</summary>
    private sealed class RunningDemo : IAsyncDisposable
    {
        private readonly ChildProcess _process = new("dotnet",
            [GatewayProcess.Executable, "demo", "--port", "0", "--upstream-port", "0", "--identity-port", "0",
                "--page-port", "0"]);

        public int Id => _process.Id;

        public string Output => _process.Output;

        public string Gateway => Address("Gateway");

        public string Provider => Address("Login");

        public static async Task<RunningDemo> StartAsync()
        {
            var demo = new RunningDemo();
            await demo._process.UntilAsync(
                () => Task.FromResult(demo._process.Output.Contains("Ctrl-C", StringComparison.Ordinal)));
            return demo;
        }

        public string Page(string host) => Address("Page").Replace("127.0.0.1", host, StringComparison.Ordinal);

        public ValueTask DisposeAsync() => _process.DisposeAsync();

        private string Address(string what) => Regex.Match(_process.Output, $@"{what}: +(\S+)").Groups[1].Value;
    }
}
