using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Cluster;

/// <summary>Which cached jobs teams share, and which a team may no longer read.</summary>
[Trait("Redis", "any")]
public sealed class AccountTests(RedisServer redis)
{
    private readonly string _account = Purging.NewAccount();
    private readonly string _job = $"finished-{Guid.NewGuid():N}";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Two_teams_on_one_account_share_cached_jobs(bool withRedis)
    {
        await using var world = await World.StartAsync(
            [Redis(withRedis), .. Purging.Account(_account), .. Purging.Account(_account, "survey")]);
        var other = withRedis ? world.AddGateway() : world.Gateway;

        Assert.False(await Purging.IsHitAsync(world.Gateway, _job));
        Assert.True(await Purging.IsHitAsync(other, _job, key: World.SurveyKey));

        Assert.Equal(1, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Two_teams_on_two_accounts_share_no_cached_jobs(bool withRedis)
    {
        await using var world = await World.StartAsync(
            [Redis(withRedis), .. Purging.Account(_account), .. Purging.Account(_account + "b", "survey")]);
        var other = withRedis ? world.AddGateway() : world.Gateway;

        foreach (var hit in (bool[])[false, true])
        {
            Assert.Equal(hit, await Purging.IsHitAsync(world.Gateway, _job));
            Assert.Equal(hit, await Purging.IsHitAsync(other, _job, key: World.SurveyKey));
        }

        Assert.Equal(2, world.Upstream.Ledger.Total);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_workflow_removed_from_a_team_is_forbidden_at_once_even_if_cached(bool withRedis)
    {
        await using var world = await World.StartAsync(
            [Redis(withRedis), .. Purging.Account(_account), .. Purging.Account(_account, "survey")]);
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job, key: World.SurveyKey));
        Assert.True(await Purging.IsHitAsync(world.Gateway, _job, key: World.SurveyKey));

        world.Gateway.Reconfigure(("Teams:survey:Workflows:0", "survey-2"));

        foreach (var job in (string[])[_job, _job + "x"])
        {
            using var answer = await World.GetAsync(world.Gateway, job, key: World.SurveyKey);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        }
        Assert.True(await Purging.IsHitAsync(world.Gateway, _job));
        Assert.False(await Purging.IsHitAsync(world.Gateway, _job, "survey-2", World.SurveyKey));
    }

    private (string, string?) Redis(bool used) => ("ConnectionStrings:Redis", used ? redis.ConnectionString : "");
}
