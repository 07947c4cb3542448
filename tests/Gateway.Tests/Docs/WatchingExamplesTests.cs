using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.Watching;
using Gateway.Watching;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.Docs;

/// <summary>
/// Runs the client examples of <c>docs/watching.md</c> against a gateway, while the upstream changes a job.
/// </summary>
public sealed class WatchingExamplesTests(Browser browser) : IDisposable
{
    private const string Job = WatchingExamples.Job;

    // Account other is the same upstream. A move to it cuts the streams of a team.
    private static readonly (string Key, string? Value)[] OtherAccount =
        [.. Purging.Account("other").Where(setting => setting.Key != "Teams:mapping:Account")];

    // Below the tools' folder, so that Node.js finds the packages.
    private readonly DirectoryInfo _modules = Directory.CreateDirectory(
        Path.Combine(NpmTools.Folder, "generated", $"{Guid.NewGuid():N}"));

    // Outside of the repository, so that its build settings do not apply.
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-watching-");

    public void Dispose()
    {
        _modules.Delete(recursive: true);
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Curl_prints_each_state_when_it_comes_and_ends_after_the_final_one()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("curl"), "This test needs curl, which is not on the PATH.");
        await using var world = await WorldAsync();
        await using var curl = new ChildProcess("sh", ["-c", WatchingExamples.Command("curl", world.Gateway.Address)]);
        await UntilAsync(curl, "\"status\":\"queued\"");
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await UntilAsync(curl, "\"status\":\"running\"");
        world.Upstream.Lives.Set(Job, LifeStage.Completed);

        Assert.Equal(0, await curl.ExitAsync());
        Assert.Equal(["event: job", "event: job", "event: job", "event: end"],
            curl.Output.Split('\n').Where(line => line.StartsWith("event: ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Nginx_passes_each_event_when_it_comes()
    {
        Assert.SkipUnless(RedisServer.IsOnPath("curl"), "This test needs curl, which is not on the PATH.");
        await using var world = await WorldAsync();
        await using var nginx = await NginxProxy.StartAsync(world.Gateway.Address, location: "");
        await using var curl = new ChildProcess("sh", ["-c", WatchingExamples.Command("curl", nginx.Address)]);
        await UntilAsync(curl, "\"status\":\"queued\"");
        world.Upstream.Lives.Set(Job, LifeStage.Completed);

        Assert.Equal(0, await curl.ExitAsync());
        Assert.Contains("event: end", curl.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_fetch_reader_continues_after_a_cut_and_ends_after_the_final_state()
    {
        await using var world = await WorldAsync();
        await using var reader = StartReader(world);

        await FollowAsync(world, reader);

        Assert.Equal(0, await reader.ExitAsync());
        // The state that the client had at the cut is not sent again.
        Assert.Equal("queued running completed", Said(reader));
    }

    [Fact]
    public async Task The_fetch_reader_follows_several_jobs_and_goes_on_if_one_does_not_exist()
    {
        await using var world = await WorldAsync();
        await using var reader = StartReader(world, example => example
            .Replace($"v0/workflows/survey-1/jobs/{Job}/events", $"v0/events?job=survey-1/{Job}&job=survey-1/missing",
                StringComparison.Ordinal)
            .Replace("job.status", "job.job_id, job.job.status", StringComparison.Ordinal));

        await FollowAsync(world, reader);

        Assert.Equal(0, await reader.ExitAsync());
        var lines = reader.Output.Split('\n');
        Assert.Equal([$"{Job} queued", $"{Job} running", $"{Job} completed"],
            lines.Where(line => line.StartsWith(Job, StringComparison.Ordinal)));
        Assert.Contains("The upstream knows no such job", lines);
    }

    [Fact]
    public async Task The_fetch_reader_says_that_the_upstream_fails_and_recovers_and_stops_when_its_key_is_revoked()
    {
        await using var world = await WorldAsync();
        await using var reader = StartReader(world);
        await UntilAsync(reader, "queued");
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        await UntilAsync(reader, "The upstream failed");
        world.Upstream.Faults.Clear();
        await UntilAsync(reader, "recovered");

        Revoke(world);

        Assert.Equal(1, await reader.ExitAsync());
        Assert.Contains("Refused", reader.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_fetch_reader_waits_while_the_node_has_no_room_and_stops_at_a_job_that_does_not_exist()
    {
        await using var world = await WorldAsync(("Watching:MaxWatchers", "0"));
        await using var reader = StartReader(world);
        await Wait.UntilAsync(TimeSpan.FromSeconds(30), () => Answered(world, 429) == 1, "the stream is refused");
        world.Upstream.Lives.Set(Job, LifeStage.Gone);
        world.Gateway.Reconfigure(("Watching:MaxWatchers", "10"));

        Assert.Equal(1, await reader.ExitAsync());
        Assert.Contains("/problems/job-not-found", reader.Output, StringComparison.Ordinal);
        Assert.Equal(1, Answered(world, 429));
    }

    [Fact]
    public async Task The_fetch_reader_keeps_a_connection_with_comments_and_gives_up_a_silent_one()
    {
        await using var world = await World.StopClockAsync(OtherAccount);
        world.Upstream.Lives.Set(Job, LifeStage.Queued);
        await using var proxy = new RedisProxy(world.Gateway.Address.Port);
        await using var reader = StartReader(world, address: AddressOf(proxy), changeModule: example => example
            .Replace("45_000", "5_000", StringComparison.Ordinal));
        await UntilAsync(reader, "queued");
        for (var i = 0; i < 8; i++)
        {
            // The gateway sends a comment every 15 seconds of its clock.
            world.Clock!.Advance(TimeSpan.FromSeconds(15));
            await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
        }
        Assert.Equal(0, Answered(world, 200));

        proxy.ForgetConnections();
        world.Upstream.Lives.Set(Job, LifeStage.Completed);

        Assert.Equal(0, await LongPollTests.AdvanceUntilAsync(world, reader.ExitAsync()));
        Assert.Equal("queued completed", Said(reader));
    }

    [Fact]
    public async Task The_fetch_reader_continues_after_a_cut_in_a_page_of_another_origin()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await WorldAsync(JobPage.Allow(origin));
        using var requests = new GatewayRequests(world.Gateway);
        // The script runs as a function and not as a module.
        var watch = WatchingExamples.Text("watch.mjs", world.Gateway.Address)
            .Replace("export ", "", StringComparison.Ordinal);
        await page.Tab.Page.EvaluateAsync($$"""
            ([url, key]) => {
                {{watch}}
                window.said = [];
                watch(url, { headers: { 'X-Api-Key': key } }, { job: job => window.said.push(job.status) });
            }
            """, new[] { new Uri(world.Gateway.Address, EventReader.PathOf(Job)).AbsoluteUri, World.MappingKey });

        await UntilSaidAsync(page.Tab, "queued");
        await CutAsync(world);
        world.Upstream.Lives.Set(Job, LifeStage.Completed);
        await UntilSaidAsync(page.Tab, "completed");

        Assert.Equal(["queued", "completed"], await SaidAsync(page.Tab));
        Assert.Empty(page.Tab.ConsoleErrors);
        Assert.Equal(1, requests.SoFar("OPTIONS"));
    }

    [Fact]
    public async Task The_query_follows_a_job_in_a_page_of_another_origin_with_one_preflight()
    {
        var origin = await TestPage.StartAsync();
        await using var page = await JobPage.OpenAsync(browser, origin);
        await using var world = await WorldAsync(JobPage.Allow(origin), ("Watching:MaxWait", "00:00:03"));
        using var requests = new GatewayRequests(world.Gateway);
        var query = WatchingExamples.Text("job-query.mjs", world.Gateway.Address)
            .Replace("export ", "", StringComparison.Ordinal);
        // The loop does what TanStack Query does with these options.
        await page.Tab.Page.EvaluateAsync($$"""
            ([url, key]) => {
                {{query}}
                window.said = [];
                const { queryKey, queryFn, refetchInterval } = jobQuery(url, { headers: { 'X-Api-Key': key } });
                let data;
                const client = { getQueryData: () => data };
                (async () => {
                    while (true) {
                        data = await queryFn({ client, queryKey });
                        if (data.job.status !== window.said.at(-1)) window.said.push(data.job.status);
                        const state = { fetchStatus: 'idle', status: 'success', data };
                        const pause = refetchInterval({ state });
                        if (pause === false) return;
                        await new Promise(done => setTimeout(done, pause));
                    }
                })();
            }
            """, new[] { JobPage.UrlOf(world.Gateway.Address, Job).AbsoluteUri, World.MappingKey });
        await UntilSaidAsync(page.Tab, "queued");
        await requests.UntilAsync(2, "GET", 304);
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await UntilSaidAsync(page.Tab, "running");
        world.Upstream.Lives.Set(Job, LifeStage.Completed);
        await UntilSaidAsync(page.Tab, "completed");

        Assert.Equal(1, await requests.CountAsync("OPTIONS"));
        Assert.InRange(await requests.CountAsync("GET"), 5, 15);
        Assert.Empty(page.Tab.ConsoleErrors);
    }

    [Fact]
    public async Task A_page_with_a_session_follows_a_job_with_an_EventSource()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, OtherAccount);
        world.Upstream.Lives.Set(Job, LifeStage.Queued);
        await using var tab = await OpenPageAsync(world);

        await UntilSaidAsync(tab, "queued");
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await UntilSaidAsync(tab, "running");
        await CutAsync(world);
        world.Upstream.Lives.Set(Job, LifeStage.Completed);
        await UntilSaidAsync(tab, "completed");

        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => Answered(world, 200) == 2, "the stream ends");
        await LeaveTimeToConnectAsync();
        Assert.Equal(["queued", "running", "completed"], await SaidAsync(tab));
        Assert.Equal(2, StreamsOf(tab));
        Assert.Empty(tab.ConsoleErrors);
    }

    [Fact]
    public async Task A_page_tells_its_user_why_the_gateway_ends_or_refuses_the_stream()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await using var tab = await OpenPageAsync(world);
        await UntilSaidAsync(tab, "running");

        world.Gateway.Reconfigure(("Teams:mapping:Workflows:0", "other-*"));
        await UntilSaidAsync(tab, "Your team may not read this workflow");
        await LeaveTimeToConnectAsync();
        Assert.Equal(["running", "Your team may not read this workflow"], await SaidAsync(tab));
        Assert.Equal(1, StreamsOf(tab));

        await tab.Page.EvaluateAsync("() => window.said = []");
        await RunPageAsync(tab);
        await UntilSaidAsync(tab, "Your team may not read this workflow");
        await LeaveTimeToConnectAsync();
        Assert.Single(await SaidAsync(tab));
        Assert.Equal(2, StreamsOf(tab));
    }

    [Fact]
    public async Task TanStack_Query_follows_a_job_with_few_requests()
    {
        await NpmTools.NeedAsync();
        await using var world = await WorldAsync(("Watching:MaxWait", "00:00:03"));
        using var requests = new GatewayRequests(world.Gateway);
        WatchingExamples.Write(_modules, world.Gateway.Address, "job-query.mjs", "observe.mjs");
        await using var node = StartNode("observe.mjs");
        await UntilAsync(node, "queued");
        await requests.UntilAsync(1, "GET", 304);
        var watched = world.Gateway.Services.GetRequiredService<WatchedJobs>();
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => watched.Watchers == 1, "a request waits");
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await UntilAsync(node, "running");
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 500 });
        await Task.Delay(TimeSpan.FromSeconds(3), World.Cancellation);
        world.Upstream.Faults.Clear();
        world.Upstream.Lives.Set(Job, LifeStage.Completed);

        Assert.Equal(0, await node.ExitAsync());
        Assert.Equal(["queued", "running", "completed"], node.Output.Split('\n').Distinct());
        Assert.InRange(await requests.CountAsync("GET"), 4, 15);
        Assert.Equal(3, await requests.CountAsync("GET", 200));
    }

    [Fact]
    public async Task A_React_component_follows_a_job_with_the_query()
    {
        await NpmTools.NeedAsync();
        await using var world = await WorldAsync();
        WatchingExamples.Write(_modules, world.Gateway.Address, "job-query.mjs");
        // Node.js knows no page, so that the address needs a base, and the request a key instead of a session.
        File.WriteAllText(Path.Combine(_modules.FullName, "react.mjs"), $$"""
            import { createElement } from 'react';
            import { create } from 'react-test-renderer';
            import { environmentManager, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
            import { jobQuery } from './job-query.mjs';

            environmentManager.setIsServer(() => false);
            const send = fetch;
            globalThis.fetch = (path, init) => send(new URL(path, '{{world.Gateway.Address}}'), {
              ...init, headers: { ...init.headers, 'X-Api-Key': process.env.GATEWAY_KEY },
            });
            function Job() {
              {{WatchingExamples.Text("job.jsx", world.Gateway.Address)}}
              if (data) console.log(data.job.status);
              if (error || data?.isFinal) setTimeout(() => process.exit(error ? 1 : 0));
              return null;
            }
            create(createElement(QueryClientProvider, { client: new QueryClient() }, createElement(Job)));
            """);
        await using var node = StartNode("react.mjs");
        await UntilAsync(node, "queued");
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await UntilAsync(node, "running");
        world.Upstream.Lives.Set(Job, LifeStage.Completed);

        Assert.Equal(0, await node.ExitAsync());
        Assert.Contains("completed", node.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TanStack_Query_shows_why_the_gateway_refuses_it()
    {
        await NpmTools.NeedAsync();
        await using var world = await WorldAsync();
        world.Upstream.Lives.Set(Job, LifeStage.Gone);
        WatchingExamples.Write(_modules, world.Gateway.Address, "job-query.mjs", "observe.mjs");
        await using var node = StartNode("observe.mjs");

        Assert.Equal(0, await node.ExitAsync());
        Assert.Equal("The upstream knows no such job in this workflow.", node.Output);
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => Answered(world, 404) == 1, "one request");
    }

    [Fact]
    public async Task The_CSharp_file_continues_after_a_cut_and_ends_after_the_final_state()
    {
        await using var world = await WorldAsync();
        await using var reader = StartFile(world);

        await FollowAsync(world, reader);

        Assert.Equal(0, await reader.ExitAsync());
        Assert.Equal("queued running completed", Said(reader));
    }

    [Fact]
    public async Task The_CSharp_file_gives_up_a_dead_HTTP_2_connection()
    {
        await using var world = await WorldAsync(("Kestrel:EndpointDefaults:Protocols", "Http2"));
        await using var proxy = new RedisProxy(world.Gateway.Address.Port);
        // Without TLS, the client must know that the gateway speaks HTTP/2.
        await using var reader = StartFile(world, AddressOf(proxy), example => example
            .Replace("FromSeconds(15)", "FromSeconds(2)", StringComparison.Ordinal)
            .Replace("Version = HttpVersion.Version20",
                "Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact",
                StringComparison.Ordinal));
        await UntilAsync(reader, "queued");
        await Task.Delay(TimeSpan.FromSeconds(6), World.Cancellation);
        Assert.Equal(0, Answered(world, 200));

        proxy.ForgetConnections();
        world.Upstream.Lives.Set(Job, LifeStage.Completed);

        Assert.Equal(0, await reader.ExitAsync().WaitAsync(TimeSpan.FromMinutes(1), World.Cancellation));
        Assert.Equal("queued completed", Said(reader));
    }

    [Fact]
    public async Task The_CSharp_file_stops_when_its_key_is_revoked()
    {
        await using var world = await WorldAsync();
        await using var reader = StartFile(world);
        await UntilAsync(reader, "queued");

        Revoke(world);

        Assert.Equal(1, await reader.ExitAsync());
        Assert.Equal("queued No valid credential", Said(reader));
    }

    /// <param name="change">A change of the example that starts the reader; null for none.</param>
    /// <param name="changeModule">A change of the reader itself; null for none.</param>
    /// <param name="address">The address that the reader connects to; null for the gateway's.</param>
    private ChildProcess StartReader(World world, Func<string, string>? change = null,
        Func<string, string>? changeModule = null, Uri? address = null)
    {
        Assert.SkipUnless(RedisServer.IsOnPath("node"), "This test needs Node.js, which is not on the PATH.");
        WatchingExamples.Write(_modules, address ?? world.Gateway.Address, "watch.mjs", "follow.mjs");
        Change(_modules, "follow.mjs", change);
        Change(_modules, "watch.mjs", changeModule);
        return StartNode("follow.mjs");
    }

    private static void Change(DirectoryInfo folder, string file, Func<string, string>? change)
    {
        if (change is null) return;
        var path = Path.Combine(folder.FullName, file);
        var text = File.ReadAllText(path);
        var changed = change(text);
        Assert.NotEqual(text, changed);
        File.WriteAllText(path, changed);
    }

    private static Uri AddressOf(RedisProxy proxy) => new($"http://127.0.0.1:{proxy.Port}/");

    private ChildProcess StartNode(string file) => new(
        "node", [Path.Combine(_modules.FullName, file)], new() { ["GATEWAY_KEY"] = World.MappingKey });

    private ChildProcess StartFile(World world, Uri? address = null, Func<string, string>? change = null)
    {
        WatchingExamples.Write(_folder, address ?? world.Gateway.Address, "watch.cs");
        Change(_folder, "watch.cs", change);
        // A compiler server is shared with other processes, survives the test, and can hang.
        string[] arguments = ["run", "--property:UseSharedCompilation=false",
            Path.Combine(_folder.FullName, "watch.cs")];
        return new ChildProcess("dotnet", arguments, new()
        {
            ["GATEWAY_KEY"] = World.MappingKey,
            // The build of the file goes to this folder.
            ["XDG_DATA_HOME"] = _folder.FullName,
            ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
            ["DOTNET_NOLOGO"] = "1",
        });
    }

    /// <summary>Moves the job through its life. Cuts the stream while the job runs.</summary>
    private static async Task FollowAsync(World world, ChildProcess client)
    {
        await UntilAsync(client, "queued");
        world.Upstream.Lives.Set(Job, LifeStage.Running);
        await UntilAsync(client, "running");
        await CutAsync(world);
        world.Upstream.Lives.Set(Job, LifeStage.Completed);
    }

    /// <summary>Runs the example in a page on the gateway's own origin, with the session of a user.</summary>
    private async Task<BrowserTab> OpenPageAsync(World world)
    {
        var tab = await browser.OpenAsync();
        await tab.Page.GotoAsync(new Uri(world.Gateway.Address, "bff/login?returnUrl=/docs/index.html").AbsoluteUri);
        await tab.Page.FillAsync("#user", "alice");
        await tab.Page.Locator("#sign-in").PressEnterAsync();
        await tab.Page.WaitForURLAsync("**/docs/index.html");
        await tab.Page.EvaluateAsync("""
            () => {
                window.said = [];
                console.log = text => window.said.push(text);
            }
            """);
        await RunPageAsync(tab);
        return tab;
    }

    private static async Task RunPageAsync(BrowserTab tab)
    {
        var origin = new Uri(tab.Page.Url);
        var script = WatchingExamples.Text("page.js", origin) + WatchingExamples.Text("show.js", origin);
        await tab.Page.EvaluateAsync($"() => {{\n{script}\n}}");
    }

    // A browser connects again after 2.5 seconds at the latest.
    private static Task LeaveTimeToConnectAsync() => Task.Delay(TimeSpan.FromSeconds(4), World.Cancellation);

    private static int StreamsOf(BrowserTab tab) =>
        tab.Requests.Count(request => request.AbsolutePath.EndsWith("/events", StringComparison.Ordinal));

    private static Task<string[]> SaidAsync(BrowserTab tab) => tab.Page.EvaluateAsync<string[]>("() => window.said");

    private static async Task UntilSaidAsync(BrowserTab tab, string text) =>
        await tab.Page.WaitForFunctionAsync("text => window.said.includes(text)", text, new() { Timeout = 30_000 });

    private static async Task<World> WorldAsync(params (string Key, string? Value)[] settings)
    {
        var world = await World.StartAsync([.. OtherAccount, .. settings]);
        world.Upstream.Lives.Set(Job, LifeStage.Queued);
        return world;
    }

    /// <summary>Cuts the stream, and waits until the client has opened another one.</summary>
    private static async Task CutAsync(World world)
    {
        // The streams of a team that moves to another account end without a problem.
        world.Gateway.Reconfigure(("Teams:mapping:Account", "other"));
        await Wait.UntilAsync(TimeSpan.FromSeconds(10), () => Answered(world, 200) == 1, "the stream ends");
        world.Upstream.Ledger.Clear();
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(30), () => world.Upstream.Ledger.Total > 0, "the job is read for another stream");
        // A client that does not say which state it has would now get that state again.
        await Task.Delay(TimeSpan.FromSeconds(1), World.Cancellation);
    }

    private static void Revoke(World world) => world.Gateway.Reconfigure(
        ("Teams:mapping:ApiKeys:0:Sha256", World.Sha256("another-key-0123456789")));

    /// <summary>The number of requests for the job that have ended with a status. An open stream has not.</summary>
    private static int Answered(World world, int status) => world.Gateway.Log.All.Count(
        line => line.Contains($": {status} for job survey-1/{Job},", StringComparison.Ordinal));

    private static Task UntilAsync(ChildProcess client, string text) =>
        client.UntilAsync(() => Task.FromResult(client.Output.Contains(text, StringComparison.Ordinal)));

    private static string Said(ChildProcess client) => client.Output.Replace('\n', ' ');
}
