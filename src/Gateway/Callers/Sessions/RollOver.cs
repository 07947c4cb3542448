using Gateway.Callers.Tokens;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Verifies the ID token of a login. If its key is unknown, the provider's keys are read again (OpenID Connect Core
/// 1.0, section 10.1.1).
/// </summary>
internal sealed class RollOver(ProviderConfiguration provider) : JsonWebTokenHandler
{
    public override async Task<TokenValidationResult> ValidateTokenAsync(
        string token, TokenValidationParameters validationParameters)
    {
        // Without this check, a key of another kind would look like a new key.
        var algorithm = ReadToken(token) is JsonWebToken read ? read.Alg : null;
        if (!TokenVerifier.Algorithms.Contains(algorithm))
        {
            throw new SecurityTokenInvalidAlgorithmException($"The token is signed by {algorithm}");
        }
        var result = await base.ValidateTokenAsync(token, validationParameters);
        if (result.Exception is not SecurityTokenSignatureKeyNotFoundException) return result;
        if (await provider.FindAsync() is not { } known) return result;
        var again = validationParameters.Clone();
        again.IssuerSigningKeys = (await provider.NewerAsync(known, provider.LearntAt)).Said.SigningKeys;
        return await base.ValidateTokenAsync(token, again);
    }
}
