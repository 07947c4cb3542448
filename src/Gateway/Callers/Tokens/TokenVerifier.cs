using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Tokens;

/// <summary>
/// Verifies a provider's tokens (RFC 7519, RFC 8725): the signature by a key of the provider and an asymmetric
/// algorithm, the issuer, audience, time and type. If a token names an unknown key, the provider's keys are read again.
/// </summary>
internal sealed class TokenVerifier(
    ProviderConfiguration provider, TokenAudience audience, TimeSpan clockSkew, Func<string?, bool> isType,
    TimeProvider clock)
{
    /// <summary>
    /// The accepted algorithms. With HMAC, each verifier could also sign; <c>none</c> is no signature (RFC 8725,
    /// section 3.1).
    /// </summary>
    public static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private const int MostAbsent = 64;

    private readonly ConditionalWeakTable<OpenIdConnectConfiguration, ConcurrentDictionary<string, bool>> _absent = [];

    private readonly JsonWebTokenHandler _handler = new();

    /// <returns>The claims, or why the token is refused.</returns>
    public async ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyAsync(string token)
    {
        var refusal = Read(token, out var read, out _);
        return refusal == Refusal.None ? await VerifyAsync(read) : (null, refusal);
    }

    /// <param name="read">A token of <see cref="Read"/>.</param>
    /// <returns>The claims, or why the token is refused.</returns>
    public async ValueTask<(ClaimSet? Claims, Refusal Refusal)> VerifyAsync(JsonWebToken read)
    {
        var learntAt = provider.LearntAt;
        if (await provider.FindAsync() is not { } known)
        {
            return (null, provider.IsMismatch ? Refusal.ProviderMisconfigured : Refusal.ProviderAway);
        }

        var result = await _handler.ValidateTokenAsync(read, Parameters(known));
        if (result.Exception is SecurityTokenSignatureKeyNotFoundException)
        {
            var (said, isNews) = await provider.NewerAsync(known, learntAt);
            if (isNews) result = await _handler.ValidateTokenAsync(read, Parameters(said));
            if (result.Exception is SecurityTokenSignatureKeyNotFoundException && !IsAbsent(read.Kid, said, isNews))
            {
                return (null, Refusal.ProviderAway);
            }
        }
        if (!result.IsValid) return (null, RefusalOf(result.Exception));
        var claims = new ClaimSet(JsonElement.Parse(Base64Url.DecodeFromChars(read.EncodedPayload)));
        // The token is bound to a key of the sender (RFC 7800), and the gateway cannot check the sender.
        return claims.Has("cnf") ? (null, Refusal.TokenUnsuitable) : (claims, Refusal.None);
    }

    // The provider may have added a key since its keys were read. Keys that were missing then are remembered.
    private bool IsAbsent(string? key, OpenIdConnectConfiguration said, bool isNews)
    {
        var absent = _absent.GetValue(said, _ => new ConcurrentDictionary<string, bool>());
        if (isNews && absent.Count < MostAbsent) absent[key ?? ""] = true;
        return isNews || absent.ContainsKey(key ?? "");
    }

    /// <summary>Reads a token that is not verified yet.</summary>
    /// <param name="issuer">The issuer that the token names; empty: none.</param>
    public static Refusal Read(string token, out JsonWebToken read, out string issuer)
    {
        (read, issuer) = (null!, "");
        try
        {
            read = new JsonWebToken(token);
            issuer = read.Issuer ?? "";
            if (read.IsEncrypted) return Refusal.TokenEncrypted;
            // The gateway supports no extensions, so none may be critical (RFC 7515, section 4.1.11).
            if (read.TryGetHeaderValue<object>("crit", out _)) return Refusal.TokenMalformed;
            return Algorithms.Contains(read.Alg) ? Refusal.None : Refusal.TokenAlgorithm;
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException or FormatException or JsonException)
        {
            return Refusal.TokenMalformed;
        }
    }

    /// <summary>
    /// Checks the lifetime of a token: it must have an end, and the clocks may differ by <paramref name="skew"/>.
    /// </summary>
    public static LifetimeValidator Lifetime(TimeSpan skew, TimeProvider clock) => (notBefore, expires, _, _) =>
    {
        var now = clock.GetUtcNow().UtcDateTime;
        if (expires is null) throw new SecurityTokenNoExpirationException("The token never expires");
        if (notBefore > now + skew) throw new SecurityTokenNotYetValidException("The token is not valid yet");
        if (expires <= now - skew) throw new SecurityTokenExpiredException("The token has expired");
        return true;
    };

    private TokenValidationParameters Parameters(OpenIdConnectConfiguration known) => new()
    {
        ValidAlgorithms = Algorithms,
        IssuerSigningKeys = known.SigningKeys,
        ValidIssuer = known.Issuer,
        AudienceValidator = (named, token, _) => audience.Check(named, token),
        ClockSkew = clockSkew,
        LifetimeValidator = Lifetime(clockSkew, clock),
        TypeValidator = (type, _, _) =>
            isType(type) ? type : throw new SecurityTokenInvalidTypeException("The token has another type"),
    };

    private static Refusal RefusalOf(Exception? failure) => failure switch
    {
        SecurityTokenExpiredException => Refusal.TokenExpired,
        SecurityTokenNotYetValidException => Refusal.TokenNotYetValid,
        SecurityTokenInvalidAudienceException => Refusal.TokenAudience,
        SecurityTokenInvalidIssuerException => Refusal.TokenIssuer,
        SecurityTokenInvalidTypeException or SecurityTokenNoExpirationException => Refusal.TokenUnsuitable,
        SecurityTokenMalformedException => Refusal.TokenMalformed,
        _ => Refusal.TokenSignature,
    };
}
