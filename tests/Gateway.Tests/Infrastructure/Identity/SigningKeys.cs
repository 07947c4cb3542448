using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>The signing keys of a provider, and those it publishes.</summary>
internal sealed class SigningKeys
{
    private volatile ImmutableList<RsaSecurityKey> _all = [NewKey()];
    private volatile ImmutableList<string> _published;

    public SigningKeys() => _published = [Current.KeyId];

    public RsaSecurityKey Current => _all[0];

    /// <summary>
    /// The current key is first. Old keys are kept, because a refresh token outlives the key that signed it.
    /// </summary>
    public IReadOnlyList<RsaSecurityKey> All => _all;

    /// <summary>The ids of the keys in the key set.</summary>
    public IReadOnlyList<string> Published => _published;

    public void Rotate(bool keepOld)
    {
        var key = NewKey();
        _published = keepOld ? _published.Insert(0, key.KeyId) : [key.KeyId];
        _all = _all.Insert(0, key);
    }

    /// <summary>Creates a key that no provider has published; the id may be that of a published key.</summary>
    public static RsaSecurityKey NewKey(string? keyId = null)
    {
        using var rsa = RSA.Create(2048);
        return new RsaSecurityKey(rsa.ExportParameters(includePrivateParameters: true))
        {
            KeyId = keyId ?? Guid.NewGuid().ToString("N"),
        };
    }

    /// <summary>The public key as PEM text in the form of a shared secret, for algorithm confusion.</summary>
    public static SymmetricSecurityKey PublicPem(RsaSecurityKey key)
    {
        using var rsa = RSA.Create(key.Parameters);
        return new SymmetricSecurityKey(Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem()));
    }

    /// <summary>The public key as DER bytes in the form of a shared secret.</summary>
    public static SymmetricSecurityKey PublicDer(RsaSecurityKey key)
    {
        using var rsa = RSA.Create(key.Parameters);
        return new SymmetricSecurityKey(rsa.ExportSubjectPublicKeyInfo());
    }
}
