namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>A world with users of an identity provider, who belong to teams by their groups.</summary>
internal static class UserWorld
{
    /// <summary>Settings for browser sessions and JWTs of this provider. Groups have the names of teams.</summary>
    public static (string Key, string? Value)[] Settings(
        IdentityProvider provider, params (string Key, string? Value)[] others) =>
    [
        ("Authentication:Oidc:Authority", provider.Address.AbsoluteUri),
        ("Authentication:Oidc:ClientId", IdentityProvider.ClientId),
        ("Authentication:Oidc:ClientSecret", IdentityProvider.ClientSecret),
        ("Authentication:Oidc:RequireHttpsMetadata", "false"),
        ("Authentication:Jwt:Authority", provider.Address.AbsoluteUri),
        ("Authentication:Jwt:Audience", IdentityProvider.Audience),
        ("Authentication:Jwt:RequireHttpsMetadata", "false"),
        ("Teams:mapping:Claims:groups:0", "mapping"), ("Teams:survey:Claims:groups:0", "survey"), .. others,
    ];

    public static async Task<World> StartAsync(IdentityProvider provider, params (string Key, string? Value)[] others)
    {
        var world = await World.StartAsync(Settings(provider, others));
        provider.Register(world.Gateway.Address);
        return world;
    }

    public static async Task<World> StopClockAsync(
        IdentityProvider provider, params (string Key, string? Value)[] others)
    {
        var world = await World.StopClockAsync(Settings(provider, others));
        provider.Register(world.Gateway.Address);
        return world;
    }
}
