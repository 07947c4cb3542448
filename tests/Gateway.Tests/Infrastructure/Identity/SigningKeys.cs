using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>What a provider signs with, and what it says about that.</summary>
internal sealed class SigningKeys
{
    private volatile ImmutableList<RsaSecurityKey> _all = [NewKey()];
    private volatile ImmutableList<string> _published;

    public SigningKeys() => _published = [Current.KeyId];

    public RsaSecurityKey Current => _all[0];

    /// <summary>
    /// The current one first. It knows its own old ones: a refresh token outlives the key that signed it.
    /// </summary>
    public IReadOnlyList<RsaSecurityKey> All => _all;

    /// <summary>The names of those in the key set.</summary>
    public IReadOnlyList<string> Published => _published;

    public void Rotate(bool keepOld)
    {
        var key = NewKey();
        _published = keepOld ? _published.Insert(0, key.KeyId) : [key.KeyId];
        _all = _all.Insert(0, key);
    }

    /// <summary>A key that no provider has published, unless it is given the name of one that is.</summary>
    public static RsaSecurityKey NewKey(string? keyId = null)
    {
        using var rsa = RSA.Create(2048);
        return new RsaSecurityKey(rsa.ExportParameters(includePrivateParameters: true)) { KeyId = keyId ?? Guid.NewGuid().ToString("N") };
    }

    /// <summary>The public key as text, for who would take it for a shared secret.</summary>
    public static SymmetricSecurityKey PublicPem(RsaSecurityKey key)
    {
        using var rsa = RSA.Create(key.Parameters);
        return new SymmetricSecurityKey(Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem()));
    }

    /// <summary>The same as bytes.</summary>
    public static SymmetricSecurityKey PublicDer(RsaSecurityKey key)
    {
        using var rsa = RSA.Create(key.Parameters);
        return new SymmetricSecurityKey(rsa.ExportSubjectPublicKeyInfo());
    }
}
