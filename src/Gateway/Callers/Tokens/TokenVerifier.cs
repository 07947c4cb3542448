using System.Buffers.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Tokens;

/// <summary>
/// Verifies a provider's tokens (RFC 7519, RFC 8725): signature by one of its own keys and an asymmetric algorithm, issuer,
/// audience, time and type. Keys are looked up again where a token names one that is not known.
/// </summary>
internal sealed class TokenVerifier(
    ProviderConfiguration provider, string audience, TimeSpan clockSkew, Func<string?, bool> isType, TimeProvider clock)
{
    /// <summary>No HMAC, which would make whoever verifies able to sign, and no <c>none</c> (RFC 8725, section 3.1).</summary>
    public static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = PresentedCredential.MaxLength };

    /// <returns>Its claims, or why it does not count.</returns>
    public async ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyAsync(string token)
    {
        if (!TryRead(token, out var read)) return (null, Refusal.TokenMalformed);
        if (!Algorithms.Contains(read.Alg)) return (null, Refusal.TokenAlgorithm);
        if (await provider.FindAsync() is not { } known) return (null, Refusal.ProviderAway);

        var result = await _handler.ValidateTokenAsync(read, Parameters(known));
        if (result.Exception is SecurityTokenSignatureKeyNotFoundException && await provider.NewerAsync(known) is { } newer && newer != known)
        {
            result = await _handler.ValidateTokenAsync(read, Parameters(newer));
        }
        return result.IsValid
            ? (new ClaimSet(JsonElement.Parse(Base64Url.DecodeFromChars(read.EncodedPayload))), Refusal.None)
            : (null, RefusalOf(result.Exception));
    }

    private static bool TryRead(string token, out JsonWebToken read)
    {
        read = null!;
        try
        {
            read = new JsonWebToken(token);
            // No extension is understood here, so none may be critical (RFC 7515, section 4.1.11).
            return !read.TryGetHeaderValue<object>("crit", out _);
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException or FormatException or JsonException)
        {
            return false;
        }
    }

    private TokenValidationParameters Parameters(OpenIdConnectConfiguration known) => new()
    {
        ValidAlgorithms = Algorithms,
        IssuerSigningKeys = known.SigningKeys,
        ValidIssuer = known.Issuer,
        ValidAudience = audience,
        ClockSkew = clockSkew,
        LifetimeValidator = CheckLifetime,
        TypeValidator = (type, _, _) => isType(type) ? type : throw new SecurityTokenInvalidTypeException("Another type"),
    };

    private bool CheckLifetime(DateTime? notBefore, DateTime? expires, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        if (expires is null) throw new SecurityTokenNoExpirationException("It never expires");
        if (notBefore > now + clockSkew) throw new SecurityTokenNotYetValidException("It is not valid yet");
        if (expires <= now - clockSkew) throw new SecurityTokenExpiredException("It has expired");
        return true;
    }

    private static Refusal RefusalOf(Exception? failure) => failure switch
    {
        SecurityTokenExpiredException => Refusal.TokenExpired,
        SecurityTokenNotYetValidException => Refusal.TokenNotYetValid,
        SecurityTokenInvalidAudienceException => Refusal.TokenAudience,
        SecurityTokenInvalidIssuerException => Refusal.TokenIssuer,
        SecurityTokenInvalidTypeException or SecurityTokenNoExpirationException or SecurityTokenMalformedException => Refusal.TokenMalformed,
        _ => Refusal.TokenSignature,
    };
}
