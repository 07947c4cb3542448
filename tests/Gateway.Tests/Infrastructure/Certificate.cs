using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Tests.Infrastructure;

/// <summary>A self-signed certificate for this machine, in memory and in a file that is deleted on disposal.</summary>
internal sealed class Certificate : IDisposable
{
    private const string Password = "certificate-password";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-certificate-");

    public Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        // The certificate is valid for 30 days, because some tests advance their clocks.
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        var file = made.Export(X509ContentType.Pkcs12, Password);
        File.WriteAllBytes(Path, file);
        Value = X509CertificateLoader.LoadPkcs12(file, Password);
    }

    public X509Certificate2 Value { get; }

    public string Path => System.IO.Path.Combine(_folder.FullName, "localhost.pfx");

    /// <summary>Settings that make a gateway use the certificate.</summary>
    public (string Key, string? Value)[] Settings =>
    [
        ("Kestrel:Certificates:Default:Path", Path), ("Kestrel:Certificates:Default:Password", Password),
    ];

    /// <summary>A handler for clients that trust only this certificate.</summary>
    public SocketsHttpHandler Handler() => new()
    {
        AllowAutoRedirect = false,
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                certificate?.GetCertHashString() == Value.GetCertHashString(),
        },
    };

    public void Dispose()
    {
        Value.Dispose();
        _folder.Delete(recursive: true);
    }
}
