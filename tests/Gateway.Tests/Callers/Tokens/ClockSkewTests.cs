using System.Net;
using Gateway.Tests.Callers.Sessions;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>The clocks of the provider and of the gateway may differ by the same time for all of its tokens.</summary>
public sealed class ClockSkewTests
{
    private const string Key = "Authentication:ClockSkew", FormerKey = "Authentication:Jwt:ClockSkew";

    public static TheoryData<string?, string?, int, bool> Ages => new()
    {
        { null, null, 15, true }, { null, null, 45, false },
        { Key, "00:00:00", 10, false }, { Key, "00:02:00", 100, true }, { Key, "00:02:00", 140, false },
        { FormerKey, "00:02:00", 100, true }, { FormerKey, "00:02:00", 140, false },
    };

    [Theory]
    [MemberData(nameof(Ages))]
    public async Task A_token_that_expired_is_accepted_within_the_skew(
        string? key, string? skew, int secondsAgo, bool isAccepted)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, Option(key, skew));
        Assert.Equal(isAccepted, await AskAsync(world, provider.AccessToken(change: jwt => Expired(jwt, secondsAgo))));
        Assert.Equal(isAccepted, await AskAsync(world, provider.AccessToken(
            change: jwt => jwt with { NotBefore = DateTimeOffset.UtcNow.AddSeconds(secondsAgo) })));
    }

    [Theory]
    [MemberData(nameof(Ages))]
    public async Task An_ID_token_of_a_login_that_expired_is_accepted_within_the_skew(
        string? key, string? skew, int secondsAgo, bool isAccepted)
    {
        var clock = new FakeTimeProvider(
            DateTimeOffset.UtcNow - IdentityProvider.IdTokenLifetime - TimeSpan.FromSeconds(secondsAgo));
        await using var provider = await IdentityProvider.StartedAsync(clock);
        await using var world = await UserWorld.StartAsync(provider, Option(key, skew));
        using var visitor = Visitor.Of(provider);
        using var landed = await visitor.LogInAsync(provider, world.Gateway.Address);
        Assert.Equal(isAccepted ? HttpStatusCode.Redirect : HttpStatusCode.InternalServerError, landed.StatusCode);
    }

    [Theory]
    [MemberData(nameof(Ages))]
    public async Task A_logout_token_that_expired_is_accepted_within_the_skew(
        string? key, string? skew, int secondsAgo, bool isAccepted)
    {
        await using var provider = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(provider, Option(key, skew));
        var token = provider.LogoutToken(User.Alice.Subject, change: jwt => Expired(jwt, secondsAgo));
        Assert.Equal(isAccepted ? 200 : 400, await ClusterSessionTests.EndAsync(world.Gateway, token));
    }

    private static (string Key, string? Value)[] Option(string? key, string? value) =>
        key is null ? [] : [(key, value)];

    private static Jwt Expired(Jwt jwt, int secondsAgo) => jwt with
    {
        NotBefore = DateTimeOffset.UtcNow.AddHours(-1),
        Expires = DateTimeOffset.UtcNow.AddSeconds(-secondsAgo),
    };

    private static async Task<bool> AskAsync(World world, string token)
    {
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        Assert.Contains(answer.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.Unauthorized]);
        return answer.IsSuccessStatusCode;
    }
}
