using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Gateway.Configuration;

namespace Gateway.Outbound;

/// <summary>
/// The PEM files of the TLS connections to one server. An empty path means that there is no such file.
/// </summary>
/// <param name="Section">
/// The section whose options <c>CertificateAuthority</c>, <c>ClientCertificate</c> and <c>ClientKey</c> name the files.
/// </param>
/// <param name="Authority">The file with the authorities that may have signed the server's certificate.</param>
/// <param name="Certificate">The file with the certificate to show, and its intermediate certificates.</param>
/// <param name="Key">The file with the key; empty if the file of the certificate holds it, too.</param>
internal sealed record TlsFiles(string Section, string Authority, string Certificate = "", string Key = "")
{
    public string AuthorityOption => $"{Section}:CertificateAuthority";

    public string CertificateOption => $"{Section}:ClientCertificate";

    public string KeyOption => $"{Section}:ClientKey";

    public bool AreNamed => Authority.Length + Certificate.Length + Key.Length > 0;

    public void Check(ConfigurationErrors errors)
    {
        errors.Unless(Key.Length == 0 || Certificate.Length > 0, KeyOption, $"needs {CertificateOption}");
        Parse(Read(errors), errors);
    }

    /// <summary>Adds a warning if the certificate to show is not valid now.</summary>
    public void Warn(ConfigurationErrors warnings, DateTimeOffset now)
    {
        if (Parse(Read(new()), new()).Client?.TargetCertificate is not { } shown) return;
        warnings.Unless(shown.NotAfter > now && shown.NotBefore <= now, CertificateOption,
            "the certificate has expired, or is not valid yet");
    }

    /// <summary>Reads the files, and adds an error for each that cannot be read.</summary>
    public TlsContent Read(ConfigurationErrors errors) => new(
        Read(AuthorityOption, Authority, errors), Read(CertificateOption, Certificate, errors),
        Read(KeyOption, Key, errors));

    /// <summary>Reads the certificates and the key, and adds an error for each that is wrong.</summary>
    public Tls Parse(TlsContent content, ConfigurationErrors errors)
    {
        var authorities = CertificatesIn(content.Authority, AuthorityOption, errors);
        var certificates = CertificatesIn(content.Certificate, CertificateOption, errors);
        var key = Key.Length > 0 ? content.Key : content.Certificate;
        if (certificates is null || key is null) return new Tls(authorities, null);
        try
        {
            using var pem = X509Certificate2.CreateFromPem(content.Certificate, key);
            // Some systems cannot use a key that was never in a store.
            var shown = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), password: null);
            return new Tls(authorities, SslStreamCertificateContext.Create(shown, certificates, offline: true));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            errors.Add(Key.Length > 0 ? KeyOption : CertificateOption,
                $"the file does not hold the key of the certificate in {CertificateOption}, as PEM without a password");
            return new Tls(authorities, null);
        }
    }

    // Errors contain no path: somebody may have pasted a key in its place.
    private static string? Read(string option, string path, ConfigurationErrors errors)
    {
        if (path.Length == 0) return null;
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            errors.Add(option, $"the file cannot be read ({e.GetType().Name})");
            return null;
        }
    }

    private static X509Certificate2Collection? CertificatesIn(string? pem, string option, ConfigurationErrors errors)
    {
        if (pem is null) return null;
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            certificates.Clear();
        }
        if (certificates.Count > 0) return certificates;
        errors.Add(option, "the file does not hold a certificate as PEM");
        return null;
    }
}

/// <summary>The texts of <see cref="TlsFiles"/>. Null: there is no such file, or it cannot be read.</summary>
internal sealed record TlsContent(string? Authority, string? Certificate, string? Key);
