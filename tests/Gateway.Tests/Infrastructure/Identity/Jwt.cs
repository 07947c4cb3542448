using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>A token that a test can change before it is signed. Null values are left out.</summary>
internal sealed record Jwt
{
    /// <summary>The signing key, or null for an unsigned token.</summary>
    public SecurityKey? Key { get; init; }

    public string Algorithm { get; init; } = SecurityAlgorithms.RsaSha256;

    /// <summary>The key id in the header, regardless of the key that signs.</summary>
    public string? KeyId { get; init; }

    public string Type { get; init; } = "JWT";

    public string? Issuer { get; init; }

    public string? Subject { get; init; }

    /// <summary>One string or several.</summary>
    public object? Audience { get; init; }

    public DateTimeOffset? IssuedAt { get; init; }

    public DateTimeOffset? NotBefore { get; init; }

    public DateTimeOffset? Expires { get; init; }

    /// <summary>All other claims.</summary>
    public ImmutableDictionary<string, object> Claims { get; init; } = ImmutableDictionary<string, object>.Empty;

    public Jwt With(string claim, object value) => this with { Claims = Claims.SetItem(claim, value) };

    public Jwt Without(string claim) => this with { Claims = Claims.Remove(claim) };

    /// <summary>
    /// An unsigned token. The spelling of "none" can vary, to test validators that compare it incorrectly.
    /// </summary>
    public Jwt Unsigned(string algorithm = "none") => this with { Key = null, Algorithm = algorithm };

    public string Encode()
    {
        var payload = JsonSerializer.Serialize(Payload());
        var header = new Dictionary<string, object> { [JwtHeaderParameterNames.Typ] = Type };
        if (Key is not null)
            return new JsonWebTokenHandler()
                .CreateToken(payload, new SigningCredentials(Named(Key), Algorithm), header);

        header[JwtHeaderParameterNames.Alg] = Algorithm;
        if (KeyId is not null) header[JwtHeaderParameterNames.Kid] = KeyId;
        return $"{Encode(JsonSerializer.Serialize(header))}.{Encode(payload)}.";
    }

    /// <summary>Replaces a claim in a signed token and keeps the signature, which is then invalid.</summary>
    public static string Tamper(string token, string claim, object value)
    {
        var parts = token.Split('.');
        var claims = JsonSerializer.Deserialize<Dictionary<string, object>>(Base64Url.DecodeFromChars(parts[1]))!;
        claims[claim] = value;
        return $"{parts[0]}.{Encode(JsonSerializer.Serialize(claims))}.{parts[2]}";
    }

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    private Dictionary<string, object> Payload()
    {
        var payload = new Dictionary<string, object>();
        Add(JwtRegisteredClaimNames.Iss, Issuer);
        Add(JwtRegisteredClaimNames.Sub, Subject);
        Add(JwtRegisteredClaimNames.Aud, Audience);
        Add(JwtRegisteredClaimNames.Iat, IssuedAt?.ToUnixTimeSeconds());
        Add(JwtRegisteredClaimNames.Nbf, NotBefore?.ToUnixTimeSeconds());
        Add(JwtRegisteredClaimNames.Exp, Expires?.ToUnixTimeSeconds());
        foreach (var (claim, value) in Claims) payload[claim] = value;
        return payload;

        void Add(string claim, object? value)
        {
            if (value is not null) payload[claim] = value;
        }
    }

    /// <summary>The handler takes the key id from the key, so the key is copied with the id of this token.</summary>
    private SecurityKey Named(SecurityKey key) => key switch
    {
        RsaSecurityKey rsa => new RsaSecurityKey(rsa.Parameters) { KeyId = KeyId },
        SymmetricSecurityKey secret => new SymmetricSecurityKey(secret.Key) { KeyId = KeyId },
        ECDsaSecurityKey curve => new ECDsaSecurityKey(curve.ECDsa) { KeyId = KeyId },
        _ => throw new NotSupportedException($"No tokens are signed with a {key.GetType().Name}."),
    };
}
