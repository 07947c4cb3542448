using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Tests.Infrastructure;

/// <summary>A private certificate authority, with PEM files that are deleted on disposal.</summary>
internal sealed class PrivateAuthority : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-authority-");

    public PrivateAuthority() : this(parent: null)
    {
    }

    /// <param name="parent">The authority that signs the certificate of this one; null for a root.</param>
    public PrivateAuthority(PrivateAuthority? parent)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Private authority {Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        var from = DateTimeOffset.UtcNow.AddDays(-10);
        if (parent is null)
        {
            Value = request.CreateSelfSigned(from.AddDays(-1), from.AddDays(40));
        }
        else
        {
            using var made = request.Create(parent.Value, from, parent.Value.NotAfter.ToUniversalTime(),
                RandomNumberGenerator.GetBytes(8));
            Value = made.CopyWithPrivateKey(key);
        }
        File.WriteAllText(Path, Value.ExportCertificatePem());
    }

    /// <summary>The certificate of the authority, with its key.</summary>
    public X509Certificate2 Value { get; }

    /// <summary>The file with the authority's certificate.</summary>
    public string Path => System.IO.Path.Combine(_folder.FullName, "authority.pem");

    /// <summary>Issues a certificate for this machine.</summary>
    /// <param name="name">The name of the files.</param>
    /// <param name="host">A further name or address.</param>
    /// <param name="validDays">How long it is valid; negative if it expired that long ago.</param>
    /// <returns>The files of the certificate and of its key.</returns>
    public (string Certificate, string Key) Issue(string name, string? host = null, int validDays = 20)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
        else if (host is not null) names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(
            [new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        using var made = request.Create(Value, DateTimeOffset.UtcNow.AddDays(-5),
            DateTimeOffset.UtcNow.AddDays(validDays), RandomNumberGenerator.GetBytes(8));
        var (certificate, keyFile) = (System.IO.Path.Combine(_folder.FullName, $"{name}.pem"),
            System.IO.Path.Combine(_folder.FullName, $"{name}.key"));
        File.WriteAllText(certificate, made.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (certificate, keyFile);
    }

    /// <summary>Issues a certificate for a server of this machine.</summary>
    public X509Certificate2 IssueForServer(string? host = null)
    {
        var (certificate, key) = Issue($"server-{Guid.NewGuid():N}", host);
        using var pem = X509Certificate2.CreateFromPemFile(certificate, key);
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), password: null);
    }

    public void Dispose()
    {
        Value.Dispose();
        _folder.Delete(recursive: true);
    }
}
