using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Sessions;

/// <summary>
/// The private key with which the gateway signs its assertions, and its certificate if the file has one.
/// </summary>
internal sealed class ClientKey : IDisposable
{
    private const string Form = "must be a PEM file with an unencrypted private key: RSA of 2048 bits or more, "
        + "or EC on P-256, P-384 or P-521";

    private readonly AsymmetricAlgorithm _key;

    private ClientKey(AsymmetricAlgorithm key, string? certificateHash) =>
        (_key, CertificateHash) = (key, certificateHash);

    /// <summary>The SHA-256 of the certificate in base64url (<c>x5t#S256</c>, RFC 7515, section 4.1.8).</summary>
    public string? CertificateHash { get; }

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file has no usable private key.</exception>
    public static ClientKey Read(string file)
    {
        var pem = File.ReadAllText(file);
        var key = (AsymmetricAlgorithm?)Import(RSA.Create(), pem) ?? Import(ECDsa.Create(), pem)
            ?? throw new InvalidDataException(Form);
        if (key is RSA { KeySize: < 2048 } || (key is ECDsa && AlgorithmOf(key) is null))
        {
            key.Dispose();
            throw new InvalidDataException(Form);
        }
        try
        {
            return new ClientKey(key, HashOfCertificate(pem));
        }
        catch (InvalidDataException)
        {
            key.Dispose();
            throw;
        }
    }

    /// <param name="id">The key id; empty: the thumbprint of the public key (RFC 7638).</param>
    public SigningCredentials Credentials(string id)
    {
        SecurityKey key = _key is RSA rsa ? new RsaSecurityKey(rsa) : new ECDsaSecurityKey((ECDsa)_key);
        key.KeyId = id.Length > 0 ? id : Base64Url.EncodeToString(key.ComputeJwkThumbprint());
        // The key is read again for each assertion, and must not stay in a cache.
        return new SigningCredentials(key, AlgorithmOf(_key))
        {
            CryptoProviderFactory = new CryptoProviderFactory { CacheSignatureProviders = false },
        };
    }

    public void Dispose() => _key.Dispose();

    private static string? AlgorithmOf(AsymmetricAlgorithm key) => key switch
    {
        RSA => SecurityAlgorithms.RsaSha256,
        { KeySize: 256 } => SecurityAlgorithms.EcdsaSha256,
        { KeySize: 384 } => SecurityAlgorithms.EcdsaSha384,
        { KeySize: 521 } => SecurityAlgorithms.EcdsaSha512,
        _ => null,
    };

    private static T? Import<T>(T key, string pem) where T : AsymmetricAlgorithm
    {
        try
        {
            key.ImportFromPem(pem);
            // A file with only the public key can be imported too.
            _ = key.ExportPkcs8PrivateKey();
            return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            return null;
        }
    }

    private static string? HashOfCertificate(string pem)
    {
        if (!pem.Contains("BEGIN CERTIFICATE", StringComparison.Ordinal)) return null;
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return Base64Url.EncodeToString(certificate.GetCertHash(HashAlgorithmName.SHA256));
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException("the certificate in the file cannot be read", e);
        }
    }
}
