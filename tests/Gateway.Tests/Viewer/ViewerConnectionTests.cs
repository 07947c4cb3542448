using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Simulator;

namespace Gateway.Tests.Viewer;

/// <summary>
/// Tests in a browser what the viewer shows while the upstream, the gateway, the network or the permission is missing.
/// </summary>
[Trait("Redis", "one")]
public sealed class ViewerConnectionTests(Browser browser, RedisServer redis)
{
    /// <summary>A job that runs for an hour, unless a test moves it.</summary>
    private const string LongJob = "run-3600.wide";

    private static readonly (string, string?) ShortStale = ("Upstream:Timeout", "00:00:02");

    [Fact]
    public async Task A_failing_upstream_is_shown_with_the_age_of_the_state_until_it_answers_again()
    {
        await using var world = await World.StartAsync(ShortStale);
        await using var view = await RunningAsync(world);

        world.Upstream.Faults.Add(new Fault { Job = LongJob, Kind = FaultKind.Status, Status = 503 });
        await view.BannerAsync("The upstream does not answer.");
        Assert.Matches(@"This state is .* old\.", await view.TextAsync("#banner-text"));
        await view.LinkAsync("Stale");
        await view.Page.Locator(".origin summary").PressEnterAsync();
        await view.Page.Locator("#origin").GetByText("detail=upstream-503").WaitForAsync();

        world.Upstream.Faults.Clear();
        world.Upstream.Lives.Set(LongJob, LifeStage.Completed);
        await view.StateAsync("Done");
        await view.NoBannerAsync();
        view.AssertQuiet();
    }

    [Fact]
    public async Task A_page_that_was_offline_catches_up()
    {
        await using var world = await World.StartAsync();
        await using var view = await RunningAsync(world);
        await view.LinkAsync("Live");

        await view.Tab.Context.SetOfflineAsync(true);
        await view.BannerAsync("The browser is offline.");
        await view.LinkAsync("Offline");
        world.Upstream.Lives.Set(LongJob, LifeStage.Completed);
        Assert.Equal("Running", await view.TextAsync("#state-word"));

        await view.Tab.Context.SetOfflineAsync(false);
        await view.StateAsync("Done");
        await view.NoBannerAsync();
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("TERM")]
    public async Task A_page_with_a_key_catches_up_when_the_gateway_has_restarted(string signal)
    {
        await using var world = await World.WithoutGatewayAsync(clock: null);
        await AssertCatchesUpAsync(world, signal, (_, view) => view.EnterKeyAsync());
    }

    // The session is in Redis, and the page reads its stream with an EventSource.
    [Theory]
    [InlineData("KILL")]
    [InlineData("TERM")]
    public async Task A_page_with_a_session_catches_up_when_the_gateway_has_restarted(string signal)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await World.WithoutGatewayAsync(clock: null,
            UserWorld.Settings(provider, ("ConnectionStrings:Redis", redis.ConnectionString)));
        await AssertCatchesUpAsync(world, signal, (gateway, view) =>
        {
            provider.Register(gateway);
            return view.LogInAsync("alice");
        });
    }

    [Fact]
    public async Task A_page_that_finds_no_gateway_says_what_to_do()
    {
        await using var world = await World.StartAsync();
        await using var tab = await browser.OpenAsync();
        await tab.Page.RouteAsync("**/view/reader", route => route.AbortAsync());
        await using var view = await ViewerPage.OpenAsync(tab, world.Gateway.Address, LongJob);
        await view.Page.Locator("#ask-reason").GetByText("Reload the page to try again.").WaitForAsync();
        Assert.False(await view.Page.Locator("#form").IsVisibleAsync());
    }

    [Theory]
    [InlineData("wrong", "finished-1", "The key is not known.")]
    [InlineData(World.SurveyKey, "finished-1", "may not read")]
    [InlineData(World.MappingKey, "missing", "Check both ids.")]
    public async Task A_refusal_is_shown_with_its_reason(string key, string job, string reason)
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.OpenAsync(
            await browser.OpenAsync(), world.Gateway.Address, job, workflow: "harbour");
        await view.EnterKeyAsync(key);
        await view.Page.Locator("main").GetByText(reason).First.WaitForAsync();
        await view.AssertNotKeptAsync(key);
    }

    [Fact]
    public async Task A_key_that_is_revoked_while_a_job_is_shown_is_asked_for_again_and_the_job_stays()
    {
        await using var world = await World.StartAsync();
        await using var view = await RunningAsync(world);
        await view.LinkAsync("Live");

        world.Gateway.Reconfigure(("Teams:mapping:ApiKeys:0:Sha256", World.Sha256("another-key-0123456789")));
        await view.Page.GetByLabel("Gateway key").WaitForAsync();
        Assert.Equal("Running", await view.TextAsync("#state-word"));
        await view.LinkAsync("Stopped");

        await view.EnterKeyAsync("another-key-0123456789");
        await view.LinkAsync("Live");
    }

    private async Task AssertCatchesUpAsync(World world, string signal, Func<Uri, ViewerPage, Task> enter)
    {
        world.Upstream.Lives.Set(LongJob, LifeStage.Running);
        await using var tab = await browser.OpenAsync();
        ViewerPage view;
        Uri address;
        await using (var node = await GatewayProcess.StartAsync(world.Environment()))
        {
            address = node.Address;
            view = await ViewerPage.OpenAsync(tab, address, LongJob);
            await enter(address, view);
            await view.StateAsync("Running");
            await view.LinkAsync("Live");
            node.Signal(signal);
            await view.BannerAsync("The connection to the gateway is lost.");
            await view.LinkAsync("Not connected");
        }
        await view.Page.EvaluateAsync("() => document.body.dataset.loaded = 'once'");
        world.Upstream.Lives.Set(LongJob, LifeStage.Completed);
        Assert.Equal("Running", await view.TextAsync("#state-word"));

        await using var next = await GatewayProcess.StartAsync(world.Environment(), address);
        await view.StateAsync("Done");
        await view.LinkAsync("Ended");
        await view.NoBannerAsync();
        Assert.Equal("once", await view.Page.EvaluateAsync<string>("() => document.body.dataset.loaded"));
    }

    private async Task<ViewerPage> RunningAsync(World world)
    {
        world.Upstream.Lives.Set(LongJob, LifeStage.Running);
        return await ViewerPage.ShowAsync(browser, world, LongJob, "Running");
    }
}
