using System.Net;
using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Simulator;

namespace Gateway.Tests.Cluster;

/// <summary>Upstream credentials that are replaced or revoked while gateways use them.</summary>
[Trait("Redis", "any")]
public sealed class CredentialTests(RedisServer redis) : IDisposable
{
    private const string Account = "Upstream:Accounts:default:";

    private const string OK = "200";

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_credential_file_is_replaced_under_load_without_a_failed_request(bool withRedis)
    {
        Replace(Canary.Credential);
        await using var world = await StartAsync(
            withRedis, (Account + "Credential", ""), (Account + "CredentialFile", _file));
        var nodes = Nodes(world, withRedis);

        var statuses = await UnderLoadAsync(nodes, async () =>
        {
            foreach (var (old, next) in ((string, string)[])[(Canary.Credential, Canary.Next),
                (Canary.Next, Canary.Third), (Canary.Third, Canary.Credential)])
            {
                world.Upstream.Credentials.Accept(next);
                Replace(next);
                world.Upstream.Credentials.Retire(old);
                await Task.Delay(700, World.Cancellation);
            }
        });

        Assert.Equal([OK], statuses);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_credential_file_replaced_twice_during_a_request_fails_no_request(bool withRedis)
    {
        Replace(Canary.Credential);
        await using var world = await StartAsync(
            withRedis, (Account + "Credential", ""), (Account + "CredentialFile", _file));
        world.Upstream.Credentials.Replace([Canary.Credential, Canary.Next, Canary.Third]);
        world.Upstream.Faults.Add(
            new Fault { Kind = FaultKind.Status, Status = 403, Delay = TimeSpan.FromSeconds(0.3), Times = 2 });

        var asking = OutcomeAsync(world.Gateway);
        foreach (var (calls, credential) in ((int, string)[])[(1, Canary.Next), (2, Canary.Third)])
        {
            await Wait.UntilAsync(
                TimeSpan.FromSeconds(5), () => world.Upstream.Ledger.Total == calls, "the upstream is asked");
            Replace(credential);
        }

        Assert.Equal(OK, await asking);
    }

    [Fact]
    public async Task A_dead_credential_replaced_during_a_Redis_round_trip_refuses_no_request()
    {
        Replace(Canary.Credential);
        await using var proxy = new RedisProxy(redis.Port) { Slowness = TimeSpan.FromMilliseconds(200) };
        await using var world = await StartAsync(withRedis: true, ("ConnectionStrings:Redis", proxy.ConnectionString),
            (Account + "Credential", ""), (Account + "CredentialFile", _file));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));
        world.Upstream.Credentials.Replace([Canary.Next]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(world.Gateway));
        var gate = world.Gateway.Services.GetRequiredService<AccountGates>().Of(world.Account);
        Task<QueueResult> EnterAsync()
        {
            Assert.True(JobAddress.TryCreate("survey-1", "finished-1", out var job));
            return gate.AcquireAsync(CallRank.FirstRead, "mapping", job, TimeSpan.FromSeconds(10)).AsTask();
        }
        Assert.Equal(UpstreamFault.CredentialDead, (await EnterAsync()).Fault);
        proxy.SlowDown();

        // The entry has read the file, and waits for Redis.
        var entering = EnterAsync();
        Replace(Canary.Next);

        Assert.Equal(Canary.Next, (await entering).Permit?.Credential.HeaderValue);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_configured_credential_is_replaced_under_load_with_an_overlap(bool withRedis)
    {
        await using var world = await StartAsync(withRedis, (Account + "NextCredential", Canary.Next));
        world.Upstream.Credentials.Accept(Canary.Next);
        var nodes = Nodes(world, withRedis);

        var statuses = await UnderLoadAsync(nodes, async () =>
        {
            world.Upstream.Credentials.Retire(Canary.Credential);
            await Task.Delay(500, World.Cancellation);
            foreach (var node in nodes)
            {
                node.Reconfigure(Named(world, (Account + "Credential", Canary.Next), (Account + "NextCredential", "")));
                await Task.Delay(200, World.Cancellation);
            }
        });

        Assert.Equal([OK], statuses);
    }

    [Theory]
    [InlineData(true, 403)]
    [InlineData(false, 403)]
    [InlineData(true, 401)]
    public async Task A_credential_that_is_dead_from_the_start_costs_one_call_and_no_request(
        bool withRedis, int refusal)
    {
        await using var world = await StartAsync(withRedis, (Account + "NextCredential", Canary.Next));
        world.Upstream.Credentials.Accept(Canary.Next);
        if (refusal == 403) world.Upstream.Credentials.Retire(Canary.Credential);
        else world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 401, Times = 1 });
        var nodes = Nodes(world, withRedis);

        var answers = await Task.WhenAll(
            nodes.SelectMany(node => Enumerable.Range(0, 10)
                .Select(_ => World.GetAsync(node, $"finished-{Guid.NewGuid():N}"))));

        Assert.Equal(["200"], answers.Select(
            answer => answer.IsSuccessStatusCode ? "200" : JobTests.CacheStatus(answer)).Distinct());
        Assert.Single(world.Upstream.Ledger.Calls, call => call.Status != 200);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_revoked_credential_is_replaced_on_all_nodes_and_not_used_again(bool withRedis)
    {
        await using var world = await StartAsync(withRedis, (Account + "NextCredential", Canary.Next));
        world.Upstream.Credentials.Accept(Canary.Next);
        var nodes = Nodes(world, withRedis);
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await AskAsync(node));
        world.Upstream.Credentials.Retire(Canary.Credential);

        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await AskAsync(node));
        Assert.Single(world.Upstream.Ledger.Calls, call => call.Status == 403);

        // The upstream would accept the old credential again, and not the next one.
        world.Upstream.Credentials.Replace([Canary.Credential]);
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(node));

        // A configuration change brings new credentials.
        foreach (var node in nodes)
        {
            node.Reconfigure(Named(world, (Account + "Credential", Canary.Third), (Account + "NextCredential", "")));
        }
        world.Upstream.Credentials.Replace([Canary.Third]);
        foreach (var node in nodes) Assert.Equal(HttpStatusCode.OK, await AskAsync(node));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_dead_credential_that_is_configured_again_is_used_at_once(bool withRedis)
    {
        Replace(Canary.Credential);
        await using var world = await StartAsync(
            withRedis, (Account + "Credential", ""), (Account + "CredentialFile", _file));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));
        world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 401 });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(world.Gateway));
        world.Upstream.Faults.Clear();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(world.Gateway));
        world.Upstream.Credentials.Accept(Canary.Next);
        Replace(Canary.Next);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));

        Replace(Canary.Credential);

        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));
    }

    [Fact]
    public async Task A_job_forbidden_to_both_credentials_is_403_and_marks_neither_dead()
    {
        await using var world = await StartAsync(withRedis: true, (Account + "NextCredential", Canary.Next));
        world.Upstream.Credentials.Accept(Canary.Next);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));

        using var forbidden = await world.GetAsync("forbidden");

        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
        world.Upstream.Credentials.Retire(Canary.Next);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(world.Gateway));
        Assert.Equal(2, world.Upstream.Ledger.Calls.Count(call => call.Status == 403));
    }

    [Theory]
    [InlineData(true, 401)]
    [InlineData(false, 401)]
    [InlineData(true, 403)]
    [InlineData(false, 403)]
    public async Task Two_dead_credentials_are_503_with_few_upstream_calls_until_one_is_replaced(
        bool withRedis, int refusal)
    {
        await using var world = await StartAsync(
            withRedis, (Account + "NextCredential", Canary.Next), (Account + "QueueTimeout", "00:00:00.3"));
        var nodes = Nodes(world, withRedis);
        if (refusal == 401) world.Upstream.Faults.Add(new Fault { Kind = FaultKind.Status, Status = 401 });
        world.Upstream.Credentials.Replace(
            refusal == 401 ? [Canary.Credential, Canary.Next, Canary.Third] : [Canary.Third]);
        // The first requests find out that both credentials are dead.
        for (var i = 0; i < 10; i++) await AskAsync(nodes[i % nodes.Length]);
        world.Upstream.Ledger.Clear();
        var from = DateTimeOffset.UtcNow;

        var answers = new List<HttpResponseMessage>();
        while (DateTimeOffset.UtcNow < from.AddSeconds(3))
        {
            answers.AddRange(
                await Task.WhenAll(nodes.Select(node => World.GetAsync(node, $"finished-{Guid.NewGuid():N}"))));
        }

        var refused = answers.Where(answer => answer.StatusCode == HttpStatusCode.ServiceUnavailable).ToArray();
        var tried = refused.Count(answer =>
            JobTests.CacheStatus(answer).EndsWith("detail=upstream-401", StringComparison.Ordinal));
        Assert.All(refused, answer =>
            Assert.Matches("detail=(credential-refused|upstream-401)$", JobTests.CacheStatus(answer)));
        Assert.All(refused, answer => Assert.NotNull(answer.Headers.RetryAfter));
        // No job is known to work: at most one trial call a second for each credential.
        Assert.InRange(answers.Count - refused.Length + tried, 0, 4);
        Assert.InRange(world.Upstream.Ledger.Total, 0, 8);
        await Wait.UntilAsync(TimeSpan.FromSeconds(20),
            () => nodes.SelectMany(node => node.Log.All)
                .Any(line => line.StartsWith("Critical", StringComparison.Ordinal)), "a critical line is logged");

        world.Upstream.Faults.Clear();
        foreach (var node in nodes) node.Reconfigure(Named(world, (Account + "Credential", Canary.Third)));
        await Wait.UntilAsync(
            TimeSpan.FromSeconds(3), async () => await AskAsync(nodes[^1]) == HttpStatusCode.OK, "the new one is used");
    }

    private Task<World> StartAsync(bool withRedis, params (string, string?)[] settings) =>
        World.StartAsync([("ConnectionStrings:Redis", withRedis ? redis.ConnectionString : ""), .. settings]);

    private static GatewayNode[] Nodes(World world, bool withRedis) =>
        withRedis ? [world.Gateway, world.AddGateway(), world.AddGateway()] : [world.Gateway];

    private static (string, string?)[] Named(World world, params (string Key, string? Value)[] settings) =>
        [.. settings.Select(setting =>
            (setting.Key.Replace("default", world.Account, StringComparison.Ordinal), setting.Value))];

    private void Replace(string credential)
    {
        File.WriteAllText(_file + "-new", credential);
        File.Move(_file + "-new", _file, overwrite: true);
    }

    private static async Task<HttpStatusCode> AskAsync(GatewayNode node)
    {
        using var answer = await World.GetAsync(node, $"finished-{Guid.NewGuid():N}");
        return answer.StatusCode;
    }

    private static async Task<string> OutcomeAsync(GatewayNode node)
    {
        using var answer = await World.GetAsync(node, $"finished-{Guid.NewGuid():N}");
        return answer.IsSuccessStatusCode ? OK : $"{(int)answer.StatusCode} {JobTests.CacheStatus(answer)}";
    }

    // 200 requests a second, each for another job.
    private static async Task<string[]> UnderLoadAsync(GatewayNode[] nodes, Func<Task> meanwhile)
    {
        var asking = new List<Task<string>>();
        var changing = Task.Run(async () =>
        {
            await Task.Delay(500, World.Cancellation);
            await meanwhile();
        }, World.Cancellation);
        using var clock = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!changing.IsCompleted && await clock.WaitForNextTickAsync(World.Cancellation))
            asking.Add(OutcomeAsync(nodes[asking.Count % nodes.Length]));
        await changing;
        Assert.InRange(asking.Count, 100, int.MaxValue);
        return [.. (await Task.WhenAll(asking)).Distinct()];
    }
}
