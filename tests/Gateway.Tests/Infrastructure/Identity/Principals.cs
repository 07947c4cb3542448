using System.Collections.Immutable;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>Builds the claims of users and services, and assigns them to tokens.</summary>
internal static class Principals
{
    public static ClaimsPrincipal Of(User user, string session, ImmutableArray<string> scopes)
    {
        var identity = Identity(user.Subject, user.Groups, scopes)
            .SetClaim(Claims.Name, user.FullName).SetClaim(Claims.PreferredUsername, user.Name)
            .SetClaim(Claims.Email, user.Email)
            .SetClaim("sid", session);
        identity.SetDestinations(claim => claim.Type is Claims.Subject or "groups"
            ? [Destinations.AccessToken, Destinations.IdentityToken]
            : [Destinations.IdentityToken]);
        return new ClaimsPrincipal(identity);
    }

    public static ClaimsPrincipal OfService(IEnumerable<string> groups, ImmutableArray<string> scopes)
    {
        var identity = Identity(IdentityProvider.ServiceId, groups, scopes);
        identity.SetDestinations(_ => [Destinations.AccessToken]);
        return new ClaimsPrincipal(identity);
    }

    private static ClaimsIdentity Identity(string subject, IEnumerable<string> groups, ImmutableArray<string> scopes)
    {
        var identity = new ClaimsIdentity("provider")
            .SetClaim(Claims.Subject, subject).SetScopes(scopes).SetResources(IdentityProvider.Audience);
        // One JSON claim: otherwise one group would be a string, and no group would be no claim.
        identity.AddClaim(new Claim("groups", JsonSerializer.Serialize(groups), JsonClaimValueTypes.JsonArray));
        return identity;
    }
}
