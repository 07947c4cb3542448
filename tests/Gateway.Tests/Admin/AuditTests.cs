using System.Text.RegularExpressions;
using Gateway.Tests.Callers.Sessions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;

namespace Gateway.Tests.Admin;

/// <summary>The audit lines of real requests.</summary>
public sealed partial class AuditTests
{
    [Fact]
    public async Task Each_action_of_an_operator_leaves_a_line()
    {
        await using var world = await World.StartAsync(Purging.Operator);
        await Purging.CountAsync(world.Gateway, "default/survey-1");
        await Purging.SoftAsync(world.Gateway, "");
        (await Purging.PurgeAsync(world.Gateway, "nobody")).Dispose();
        (await Reports.AskAsync(world.Gateway, "admin/drift")).Dispose();
        (await Reports.AskAsync(world.Gateway, "admin/jobs/default/survey-1/finished-1")).Dispose();

        Assert.Equal(
            [
                "Information operator-test purge default/survey-1: succeeded",
                "Information operator-test soft-purge *: succeeded",
                "Warning operator-test purge nobody: account-not-configured",
                "Information operator-test read-drift node: succeeded",
                "Information operator-test read-job default/survey-1/finished-1: succeeded",
            ],
            Lines(world.Gateway));
    }

    [Fact]
    public async Task No_line_of_a_successful_action_is_left_out_and_failed_attempts_are_bounded()
    {
        await using var world = await World.StopClockAsync(
            [.. Purging.Operator, ("Authentication:FailedAttempts", "1000")]);
        await Task.WhenAll(Enumerable.Range(0, 150).Select(i =>
            Purging.CountAsync(world.Gateway, $"default/survey-{i}")));
        for (var i = 0; i < 150; i++)
        {
            (await Purging.PurgeAsync(world.Gateway, "default", $"wrong-{i}")).Dispose();
            (await Purging.PurgeAsync(world.Gateway, "default", World.MappingKey)).Dispose();
        }
        world.Clock!.Advance(TimeSpan.FromSeconds(1));

        await Wait.UntilAsync(
            TimeSpan.FromSeconds(20), () => Sums(world.Gateway).Length == 2, "the second is over");
        var lines = Lines(world.Gateway);
        Assert.Equal(150, lines.Count(line => line.EndsWith("succeeded", StringComparison.Ordinal)));
        Assert.Equal(150 + 2, lines.Length);
        Assert.Contains("Warning - purge default: unauthenticated", lines);
        Assert.Contains("Warning mapping-test purge default: operator-required", lines);
        Assert.Equal(["149 more attempts of purge from 127.0.0.1 ended with unauthenticated within a second",
            "149 more attempts of purge from mapping-test ended with operator-required within a second"],
            Sums(world.Gateway));
        Assert.DoesNotContain(world.Gateway.Log.All, line => line.Contains("wrong-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Logins_and_logouts_leave_lines_without_tokens()
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider);
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        var session = visitor.Session!;
        await visitor.LogOutAsync(world.Gateway.Address);
        using var refused = await visitor.GetAsync(new Uri(world.Gateway.Address, "bff/callback?state=forged"));
        using var again = await visitor.FetchAsync(world.Gateway.Address, "bff/logout", HttpMethod.Post);
        var token = provider.LogoutToken(User.Alice.Subject);
        Assert.Equal(200, await ClusterSessionTests.EndAsync(world.Gateway, token));
        await ClusterSessionTests.EndAsync(world.Gateway, "forged");

        var (issuer, subject) = (provider.Address.AbsoluteUri, User.Alice.Subject);
        Assert.Equal(
            [
                $"Information {subject} login {issuer}: succeeded",
                $"Information {subject} logout {issuer}: succeeded",
                "Warning - login session: login-failed",
                "Warning - logout session: unauthenticated",
                $"Information {issuer} backchannel-logout {subject} -: succeeded",
                "Warning - backchannel-logout session: invalid-logout-token",
            ],
            Lines(world.Gateway));
        var audit = world.Gateway.Log.All.Where(line => line.Contains(" Gateway.Audit: ", StringComparison.Ordinal));
        Assert.All(audit, line => Assert.DoesNotContain(session, line, StringComparison.Ordinal));
        Assert.All(audit, line => Assert.DoesNotContain(token, line, StringComparison.Ordinal));
    }

    // The lines without their source and trace, which are checked.
    private static string[] Lines(GatewayNode node) =>
        [.. node.Log.All.Select(line => Line().Match(line)).Where(match => match.Success)
            .Select(match => $"{match.Groups[1]} {match.Groups[2]}")];

    private static string[] Sums(GatewayNode node) =>
        [.. node.Log.All.Select(line => Sum().Match(line)).Where(match => match.Success)
            .Select(match => match.Groups[1].Value.TrimEnd()).Order(StringComparer.Ordinal)];

    [GeneratedRegex("^([A-Z][a-z]+) Gateway.Audit: (.*), from 127.0.0.1, trace [0-9a-f]{32} $")]
    private static partial Regex Line();

    [GeneratedRegex("^Warning Gateway.Audit: ([0-9]+ more .*)$")]
    private static partial Regex Sum();
}
