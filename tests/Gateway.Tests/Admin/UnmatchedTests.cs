using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Callers;
using Gateway.Tests.Drift;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Admin;

/// <summary>Operators see which claims a caller without a team brought, and what teams need.</summary>
public sealed class UnmatchedTests
{
    private const string Issuer = "https://provider.invalid/", Path = "admin/callers/unmatched";

    private static readonly string[] Values =
        ["secret-group", "secret-audience", "secret-role", "secret-member", "secret-number"];

    [Fact]
    public async Task Operators_see_the_names_of_the_claims_of_a_caller_without_a_team_and_what_teams_need()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await StartAsync(provider,
            ("Teams:mapping:Claims:groups:0", "mapping"), ("Teams:survey:Claims:groups:0", "survey"),
            ("Teams:survey:Claims:roles:0", "surveyor"), ("Teams:survey:Claims:department:0", "survey"),
            ("Teams:survey:ClaimRules:0:Claim", "https://example.com/roles"),
            ("Teams:survey:ClaimRules:0:Values:0", "surveyor"));
        Assert.Equal("[]", (await Reports.GetAsync(world.Gateway, Path)).Of("callers"));

        var token = provider.Sign(Claims("dave"));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("no-team No team has any of your claims.", await AskAsync(world, token));
        }

        var caller = Assert.Single((await Reports.GetAsync(world.Gateway, Path)).GetProperty("callers")
            .EnumerateArray());
        Assert.Equal(("dave", "https://provider.invalid", "3"),
            (caller.Of("caller"), caller.Of("issuer"), caller.Of("refusals")));
        Assert.Equal(
            "iss text, aud list, sub text, groups list, roles list of objects, https://example.com/roles object, "
                + "level number, on boolean, none null, iat number, exp number",
            string.Join(", ", caller.GetProperty("claims").EnumerateArray()
                .Select(claim => $"{claim.Of("name")} {claim.Of("kind")}")));
        Assert.Equal(
            [
                """department absent ["survey"] 1""", """groups other-values ["mapping","survey"] 2""",
                """https://example.com/roles no-values ["survey"] 1""", """roles no-values ["survey"] 1""",
            ],
            caller.GetProperty("needed").EnumerateArray()
                .Select(rule => $"{rule.Of("claim")} {rule.Of("why")} {rule.Of("teams")} {rule.Of("of")}")
                .Order(StringComparer.Ordinal));

        var line = Assert.Single(Lines(world));
        Assert.StartsWith("Information ", line, StringComparison.Ordinal);
        Assert.Contains("groups (other-values) for mapping, survey", line, StringComparison.Ordinal);
        Assert.Contains("; roles (no-values) for survey", line, StringComparison.Ordinal);
        Assert.All(Values, value => Assert.DoesNotContain(value, caller.GetRawText() + line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Groups_that_the_provider_left_out_are_told_as_such()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await StartAsync(provider,
            ("Teams:mapping:Claims:groups:0", "mapping"), ("Teams:survey:Claims:roles:0", "surveyor"));
        using var refusals = new Operating.Measured(world.Gateway, counter: "gateway.refusals");
        const string LeftOut = "The identity provider left your claim 'groups' out, because it has too many values; "
            + "the operators can read in docs/identity.md how to configure the provider.";

        Assert.Equal($"no-team No team has any of your claims. {LeftOut}", await AskAsync(world, Token("ann", """
            { "_claim_names": { "groups": "src1" },
              "_claim_sources": { "src1": { "endpoint": "https://graph.windows.net/t/users/u/getMemberObjects" } } }
            """)));
        Assert.Equal($"no-team No team has any of your claims. {LeftOut}",
            await AskAsync(world, Token("bea", """{ "hasgroups": true }""")));
        // This caller belongs to a team that may not read the workflow.
        Assert.Equal($"workflow-forbidden Team 'survey' may not read this workflow. {LeftOut}",
            await AskAsync(world, Token("cid", """{ "hasgroups": true, "roles": ["surveyor"] }"""), "harbour"));
        // This caller needs no groups.
        Assert.Equal("200", await AskAsync(world, Token("cid", """{ "hasgroups": true, "roles": ["surveyor"] }""")));
        // The provider left out a claim that no team needs.
        Assert.Equal("no-team No team has any of your claims.",
            await AskAsync(world, Token("dan", """{ "_claim_names": { "address": "src1" } }""")));

        Assert.Equal(["error.type=overage: 3", "error.type=team: 1"],
            refusals.Counts.Select(count => $"{count.Key}: {count.Value}").Order(StringComparer.Ordinal));
        var report = await Reports.GetAsync(world.Gateway, Path);
        Assert.Equal(["dan absent", "bea left-out", "ann left-out"], report.GetProperty("callers").EnumerateArray()
            .Select(caller => $"{caller.Of("caller")} {caller.GetProperty("needed")[0].Of("why")}"));
        Assert.Equal(["Warning", "Warning", "Information"], Lines(world).Select(line => line.Split(' ')[0]));

        string Token(string subject, string claims)
        {
            var all = new JsonObject { ["iss"] = Issuer, ["aud"] = "api", ["sub"] = subject };
            foreach (var (name, value) in JsonNode.Parse(claims)!.AsObject()) all[name] = value!.DeepClone();
            return provider.Sign(all);
        }
    }

    [Fact]
    public async Task A_provider_of_too_many_groups_does_not_matter_if_no_team_needs_them()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await StartAsync(provider, ("Teams:survey:Claims:roles:0", "surveyor"));
        var claims = Claims("ann");
        claims["hasgroups"] = true;
        Assert.Equal("no-team No team has any of your claims.", await AskAsync(world, provider.Sign(claims)));
    }

    [Fact]
    public async Task A_session_without_a_team_is_listed()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, Purging.Operator);
        using var visitor = Visitor.Of(provider);
        (await visitor.LogInAsync(provider, world.Gateway.Address, "dave")).Dispose();
        Assert.Equal(HttpStatusCode.Forbidden, await visitor.StatusAsync(world.Gateway.Address));
        var caller = Assert.Single((await Reports.GetAsync(world.Gateway, Path)).GetProperty("callers")
            .EnumerateArray());
        Assert.Equal((User.Dave.Subject, provider.Issuer.AbsoluteUri.TrimEnd('/')),
            (caller.Of("caller"), caller.Of("issuer")));
        Assert.DoesNotContain(User.Dave.Email, caller.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_is_that_of_all_nodes_and_that_of_one_node_while_Redis_is_away()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await World.WithoutGatewayAsync(clock: null, [.. World.DefaultAccount,
            .. Settings(provider, ("Teams:mapping:Claims:groups:0", "mapping")),
            ("ConnectionStrings:Redis", redis.ConnectionString), ("Redis:Timeout", "00:00:01")]);
        GatewayNode first = world.AddGateway(), second = world.AddGateway(), third = world.AddGateway();
        var (ann, bea) = (provider.Sign(Claims("ann")), provider.Sign(Claims("bea")));
        await AskAsync(first, ann);
        await AskAsync(second, bea);
        await AskAsync(second, ann);
        await AskAsync(second, ann);

        foreach (var node in (GatewayNode[])[first, second, third]) await UntilAsync(node, "cluster: ann 3, bea 1");
        var ofThird = (await Reports.GetAsync(third, Path)).GetProperty("callers")[0];
        Assert.Equal(("groups", "other-values"),
            (ofThird.GetProperty("needed")[0].Of("claim"), ofThird.GetProperty("needed")[0].Of("why")));
        Assert.All(Values, value => Assert.DoesNotContain(value, ofThird.GetRawText(), StringComparison.Ordinal));
        Assert.True(ofThird.TimeOf("first_at") < ofThird.TimeOf("last_at"));

        // A value of something else does not hide the lists of the nodes.
        foreach (var foreign in (string[])["[null]", "[{}]", "{", """[{"Subject":"x","Issuer":"y","Claims":null}]"""])
        {
            await redis.CommandAsync("SET", "gateway:unmatched:other", foreign);
            await redis.CommandAsync("ZADD", "gateway:unmatched", long.MaxValue, "other");
            Assert.Equal("cluster: ann 3, bea 1", await ListAsync(third));
        }

        await redis.KillAsync();
        await UntilAsync(second, "node: ann 2, bea 1");
        await UntilAsync(third, "node: ");
        await AskAsync(first, bea);
        // Redis has lost its content, and the nodes store their lists again.
        await redis.StartAsync();
        await UntilAsync(third, "cluster: bea 2, ann 3");
        var key = (string?)(await redis.CommandAsync("KEYS", "gateway:unmatched:*"))![0];
        Assert.InRange((long)(await redis.CommandAsync("PTTL", key!))!, 86_000_000, 86_400_000);
        Assert.InRange((long)(await redis.CommandAsync("PTTL", "gateway:unmatched"))!, 86_000_000, 86_400_000);

        static async Task UntilAsync(GatewayNode node, string list)
        {
            var last = "";
            await Wait.UntilAsync(TimeSpan.FromSeconds(20),
                async () => (last = await ListAsync(node)) == list, $"{list}, but {last}");
        }

        static async Task<string> ListAsync(GatewayNode node)
        {
            var report = await Reports.GetAsync(node, Path);
            return $"{report.Of("scope")}: " + string.Join(", ", report.GetProperty("callers").EnumerateArray()
                .Select(caller => $"{caller.Of("caller")} {caller.Of("refusals")}"));
        }
    }

    [Fact]
    public void A_list_in_Redis_is_bounded_and_the_last_callers_are_kept()
    {
        UnmatchedClaim[] claims = [.. Enumerable.Range(0, 200)
            .Select(claim => new UnmatchedClaim($"https://claims.example.com/{claim}", "text"))];
        var callers = Enumerable.Range(0, UnmatchedCallers.Most).Select(i => new UnmatchedCaller($"user-{i}", Issuer,
            claims, [new("groups", ClaimMismatch.LeftOut, ["a", "b"], 2)])).ToList();
        var stored = SharedUnmatched.Write(callers);
        Assert.InRange(stored.Length, SharedUnmatched.LargestList / 2, SharedUnmatched.LargestList);
        var read = SharedUnmatched.Read(stored).ToList();
        Assert.InRange(read.Count, 5, 50);
        Assert.Equal(callers.Take(read.Count).Select(caller => caller.Subject), read.Select(caller => caller.Subject));
        Assert.Equal((200, "groups (left-out) for a, b"), (read[^1].Claims.Count, read[^1].Why[0].ToString()));
    }

    [Fact]
    public async Task A_caller_that_was_refused_a_day_ago_is_forgotten()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await World.StopClockAsync(Settings(provider, ("Teams:mapping:Claims:groups:0", "m")));
        await AskAsync(world, provider.Sign(Claims("ann")));
        world.Clock!.Advance(TimeSpan.FromHours(23));
        Assert.Equal(1, (await Reports.GetAsync(world.Gateway, Path)).GetProperty("callers").GetArrayLength());
        world.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(0, (await Reports.GetAsync(world.Gateway, Path)).GetProperty("callers").GetArrayLength());
    }

    [Fact]
    public async Task Names_that_others_chose_begin_no_line_of_the_log_and_are_bounded()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await StartAsync(provider, ("Teams:mapping:Claims:groups:0", "mapping"));
        var claims = Claims("dave");
        claims["sub"] = "dave\nInformation Gateway.Audit: forged";
        claims["name\u2028forged"] = "x";
        claims[new string('n', 10_000)] = "x";
        Assert.StartsWith("no-team", await AskAsync(world, provider.Sign(claims)), StringComparison.Ordinal);

        Assert.All(world.Gateway.Log.All.Where(line => line.Contains("forged", StringComparison.Ordinal)),
            line => Assert.DoesNotContain(line, (char c) => c is '\n' or '\u2028'));
        Assert.InRange(Assert.Single(Lines(world)).Length, 100, 1_000);
        var report = (await Reports.GetAsync(world.Gateway, Path)).GetRawText();
        Assert.InRange(report.Length, 100, 3_000);
        Assert.Contains("dave?Information", report, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_last_callers_are_kept_and_lines_are_bounded()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await World.StopClockAsync(Settings(provider, ("Teams:mapping:Claims:groups:0", "m")));
        var tokens = Enumerable.Range(0, UnmatchedCallers.Most + 5).Select(i => provider.Sign(Claims($"user-{i}")));
        foreach (var token in tokens)
        {
            await AskAsync(world, token);
            world.Clock!.Advance(TimeSpan.FromMilliseconds(1));
        }
        var callers = (await Reports.GetAsync(world.Gateway, Path)).GetProperty("callers").EnumerateArray().ToList();
        Assert.Equal(UnmatchedCallers.Most, callers.Count);
        Assert.Equal("user-104", callers[0].Of("caller"));
        Assert.Equal("user-5", callers[^1].Of("caller"));
        Assert.Equal(10, Lines(world).Length);
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        await Wait.UntilAsync(TimeSpan.FromSeconds(20), () => world.Gateway.Log.All.Any(line => line.Contains(
            "95 more callers without a team were refused within a second", StringComparison.Ordinal)), "the sum");

        // Once in ten minutes for each caller.
        var again = provider.Sign(Claims("user-104"));
        world.Clock!.Advance(TimeSpan.FromSeconds(30));
        await AskAsync(world, again);
        Assert.Equal(10, Lines(world).Length);
    }

    [Fact]
    public async Task A_team_that_gets_the_claim_lets_the_caller_in_and_the_report_follows_the_configuration()
    {
        await using var provider = await TokenIssuer.StartAsync(Issuer);
        await using var world = await World.StopClockAsync(
            Settings(provider, ("Teams:mapping:Claims:roles:0", "mapper")));
        var token = provider.Sign(Claims("dave"));
        Assert.StartsWith("no-team", await AskAsync(world, token), StringComparison.Ordinal);
        world.Gateway.Reconfigure(("Teams:survey:Claims:groups:0", "survey"));
        world.Clock!.Advance(TimeSpan.FromSeconds(2));
        Assert.StartsWith("no-team", await AskAsync(world, token), StringComparison.Ordinal);
        var caller = (await Reports.GetAsync(world.Gateway, Path)).GetProperty("callers")[0];
        Assert.Equal(["roles", "groups"],
            caller.GetProperty("needed").EnumerateArray().Select(rule => rule.Of("claim")));
        world.Gateway.Reconfigure(("Teams:survey:Claims:groups:0", "secret-group"));
        Assert.Equal("200", await AskAsync(world, token));
    }

    private static JsonObject Claims(string subject) => JsonNode.Parse($$"""
        { "iss": "{{Issuer}}", "aud": ["api", "secret-audience"], "sub": "{{subject}}", "groups": ["secret-group"],
          "roles": [{ "name": "secret-role" }], "https://example.com/roles": { "secret-member": "secret-number" },
          "level": 3, "on": true, "none": null }
        """)!.AsObject();

    private static Task<World> StartAsync(TokenIssuer provider, params (string Key, string? Value)[] teams) =>
        World.StartAsync(Settings(provider, teams));

    private static (string Key, string? Value)[] Settings(
        TokenIssuer provider, params (string Key, string? Value)[] teams) =>
        [.. Purging.Operator, .. provider.Settings("api"), .. teams];

    private static string[] Lines(World world) =>
        [.. world.Gateway.Log.All.Where(
            line => line.Contains(".UnmatchedCallers: No team has", StringComparison.Ordinal))];

    private static Task<string> AskAsync(World world, string token, string workflow = "survey-1") =>
        AskAsync(world.Gateway, token, workflow);

    private static async Task<string> AskAsync(GatewayNode node, string token, string workflow = "survey-1")
    {
        using var client = node.Client(("Authorization", $"Bearer {token}"));
        using var answer = await client.GetAsync(
            new Uri($"v0/workflows/{workflow}/jobs/finished-1", UriKind.Relative), World.Cancellation);
        if (answer.IsSuccessStatusCode) return "200";
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(World.Cancellation);
        return $"{problem.GetProperty("type").GetString()!.Split('/')[^1]} {problem.GetProperty("detail").GetString()}";
    }
}
