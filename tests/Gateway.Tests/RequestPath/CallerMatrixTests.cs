using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.RequestPath;

/// <summary>
/// Every kind of caller requests every kind of workflow, first with empty caches and then with filled ones. Each
/// caller gets the same answers both times.
/// </summary>
public sealed class CallerMatrixTests : IAsyncLifetime
{
    private const string RobotKey = "robot-key-0123456789", ExpiredKey = "expired-key-0123456789",
        EarlyKey = "early-key-0123456789";

    /// <summary>
    /// The requests: a workflow of the caller's team, another team's, one allowed by a prefix, and one of another team
    /// alone; with a job that exists and one that does not.
    /// </summary>
    private static readonly (string Workflow, string Job)[] Questions =
    [
        ("harbour", "finished-1"), ("survey-1", "finished-1"), ("survey-2", "finished-1"), ("nobodys", "finished-1"),
        ("harbour", "no-such-job"), ("survey-1", "no-such-job"), ("nobodys", "no-such-job"),
    ];

    /// <summary>The statuses that each caller gets, in the order of the requests.</summary>
    private static readonly Dictionary<string, string> Expected = new()
    {
        ["nobody"] = "401 401 401 401 401 401 401",
        ["an unknown key"] = "401 401 401 401 401 401 401",
        ["an expired key"] = "401 401 401 401 401 401 401",
        ["a key that is not valid yet"] = "401 401 401 401 401 401 401",
        ["an operator's key"] = "401 401 401 401 401 401 401",
        ["two keys"] = "400 400 400 400 400 400 400",
        ["a key of the harbour's"] = "200 403 403 403 404 403 403",
        ["a key of the survey's"] = "403 200 200 403 403 404 403",
        ["the same as Authorization"] = "403 200 200 403 403 404 403",
        ["the same as a bearer token"] = "403 200 200 403 403 404 403",
        ["a token of the harbour's"] = "200 403 403 403 404 403 403",
        ["a token of the survey's"] = "403 200 200 403 403 404 403",
        ["a token of both"] = "200 200 200 403 404 404 403",
        ["a token of no team's"] = "403 403 403 403 403 403 403",
        ["an expired token"] = "401 401 401 401 401 401 401",
        ["a session of the harbour's"] = "200 403 403 403 404 403 403",
        ["a session of both"] = "200 200 200 403 404 404 403",
        ["a session of no team's"] = "403 403 403 403 403 403 403",
        ["a session without the header"] = "403 403 403 403 403 403 403",
        ["an ended session"] = "401 401 401 401 401 401 401",
    };

    private IdentityProvider _provider = null!;
    private World _world = null!;
    private Dictionary<string, (string Name, string Value)[]> _callers = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await IdentityProvider.StartedAsync();
        _world = await UserWorld.StartAsync(_provider,
        [
            .. Purging.Operator, ("Teams:mapping:Workflows:0", "harbour"), ("Authentication:FailedAttempts", "0"),
            ("Teams:mapping:ApiKeys:1:Id", "early"), ("Teams:mapping:ApiKeys:1:Sha256", World.Sha256(EarlyKey)),
            ("Teams:mapping:ApiKeys:1:NotBefore", "2099-01-01"),
            ("Teams:survey:ApiKeys:1:Id", "expired"), ("Teams:survey:ApiKeys:1:Sha256", World.Sha256(ExpiredKey)),
            ("Teams:survey:ApiKeys:1:ExpiresAt", "2020-01-01"),
            ("Teams:robots:Workflows:0", "nobodys"), ("Teams:robots:Quota", "plenty"),
            ("Teams:robots:ApiKeys:0:Id", "robot"), ("Teams:robots:ApiKeys:0:Sha256", World.Sha256(RobotKey)),
        ]);
        var harbour = await SessionAsync("alice");
        var ended = await SessionAsync("alice");
        using (var visitor = Visitor.Of(_provider))
        {
            visitor.Session = ended;
            await visitor.LogOutAsync(_world.Gateway.Address);
        }
        _callers = new()
        {
            ["nobody"] = [],
            ["an unknown key"] = [Key("wrong")],
            ["an expired key"] = [Key(ExpiredKey)],
            ["a key that is not valid yet"] = [Key(EarlyKey)],
            ["an operator's key"] = [Key(Purging.OperatorKey)],
            ["two keys"] = [Key(World.MappingKey), Bearer(World.MappingKey)],
            ["a key of the harbour's"] = [Key(World.MappingKey)],
            ["a key of the survey's"] = [Key(World.SurveyKey)],
            ["the same as Authorization"] = [("Authorization", World.SurveyKey)],
            ["the same as a bearer token"] = [Bearer(World.SurveyKey)],
            ["a token of the harbour's"] = [Bearer(_provider.AccessToken("alice"))],
            ["a token of the survey's"] = [Bearer(_provider.AccessToken("bob"))],
            ["a token of both"] = [Bearer(_provider.AccessToken("carol"))],
            ["a token of no team's"] = [Bearer(_provider.AccessToken("dave"))],
            ["an expired token"] = [Bearer(
                _provider.AccessToken(change: jwt =>
                    jwt with { NotBefore = null, Expires = DateTimeOffset.UtcNow.AddHours(-1) }))],
            ["a session of the harbour's"] = [Cookie(harbour), ("X-CSRF", "1")],
            ["a session of both"] = [Cookie(await SessionAsync("carol")), ("X-CSRF", "1")],
            ["a session of no team's"] = [Cookie(await SessionAsync("dave")), ("X-CSRF", "1")],
            ["a session without the header"] = [Cookie(harbour)],
            ["an ended session"] = [Cookie(ended), ("X-CSRF", "1")],
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task Each_caller_gets_the_same_answers_from_a_cold_and_a_warm_cache()
    {
        Assert.Equal(Expected.Keys, _callers.Keys);
        foreach (var (caller, headers) in _callers)
        {
            // Cold: no cache holds anything. Warm: an allowed caller has requested each job.
            using (await Purging.PurgeAsync(_world.Gateway, "")) { }
            var cold = await AskAsync(headers);
            foreach (var key in (string[])[World.MappingKey, World.SurveyKey, RobotKey]) await AskAsync([Key(key)]);
            var warm = await AskAsync(headers);

            Assert.Equal((caller, Expected[caller]), (caller, string.Join(' ', cold.Select(answer => answer.Status))));
            Assert.Equal((caller, string.Join('\n', cold.Select(answer => answer.Body))),
                (caller, string.Join('\n', warm.Select(answer => answer.Body))));
        }
    }

    [Fact]
    public async Task A_403_does_not_reveal_which_jobs_or_workflows_exist()
    {
        foreach (var caller in (string[])["a key of the survey's", "a token of the survey's", "a token of no team's",
            "a session of no team's"])
        {
            var there = await AskAsync(_callers[caller], "harbour", "finished-1");
            var not = await AskAsync(_callers[caller], "harbour", "no-such-job");
            var nowhere = await AskAsync(_callers[caller], "no-such-workflow", "no-such-job");
            Assert.Equal(403, there.Status);
            Assert.Equal((there, there), (not, nowhere));
        }
        Assert.Equal(0, _world.Upstream.Ledger.Total);
    }

    [Fact]
    public async Task The_first_team_that_may_read_the_workflow_is_charged()
    {
        _world.Gateway.Reconfigure(
            ("Teams:robots:Claims:groups:0", "survey"), ("Teams:robots:Workflows:0", "survey-1"),
            ("Quotas:own:Requests", "7"), ("Quotas:own:Burst", "7"),
            ("Teams:robots:Quota", "own"));
        // The teams in the order of their names: mapping, robots, survey.
        Assert.Equal(["plenty", "own", "plenty"], await PoliciesAsync());
        _world.Gateway.Reconfigure(("Teams:robots:Order", "1"));
        Assert.Equal(["plenty", "plenty", "plenty"], await PoliciesAsync());
        _world.Gateway.Reconfigure(("Teams:robots:Order", "-1"));
        Assert.Equal(["plenty", "own", "plenty"], await PoliciesAsync());

        async Task<string[]> PoliciesAsync() =>
            [.. await Task.WhenAll(((string[])["harbour", "survey-1", "survey-2"])
                .Select(workflow => PolicyAsync("carol", workflow)))];
    }

    private async Task<string> PolicyAsync(string user, string workflow)
    {
        using var client = _world.Gateway.Client(Bearer(_provider.AccessToken(user)));
        using var answer = await client.GetAsync(
            new Uri($"v0/workflows/{workflow}/jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Equal(200, (int)answer.StatusCode);
        return answer.Headers.GetValues("RateLimit").Single().Split('"')[1];
    }

    private async Task<List<(int Status, string Body)>> AskAsync((string, string)[] headers)
    {
        var answers = new List<(int, string)>();
        foreach (var (workflow, job) in Questions) answers.Add(await AskAsync(headers, workflow, job));
        return answers;
    }

    private async Task<(int Status, string Body)> AskAsync((string, string)[] headers, string workflow, string job)
    {
        using var client = _world.Gateway.Client(headers);
        using var answer = await client.GetAsync(
            new Uri($"v0/workflows/{workflow}/jobs/{job}", UriKind.Relative), World.Cancellation);
        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        if (!answer.IsSuccessStatusCode)
        {
            // Each problem has its own trace id.
            var problem = JsonElement.Parse(body).EnumerateObject().Where(member => member.Name != "traceId");
            body = string.Join(", ", problem.Select(member => $"{member.Name}: {member.Value}"));
        }
        return ((int)answer.StatusCode, body);
    }

    private async Task<string> SessionAsync(string user)
    {
        using var visitor = Visitor.Of(_provider);
        using var landed = await visitor.LogInAsync(_provider, _world.Gateway.Address, user);
        return visitor.Session!;
    }

    private static (string, string) Key(string key) => ("X-Api-Key", key);

    private static (string, string) Bearer(string token) => ("Authorization", $"Bearer {token}");

    private static (string, string) Cookie(string session) => ("Cookie", $"{Visitor.SessionCookie}={session}");
}
