using Gateway.Configuration;
using Gateway.Outbound;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Outbound;

/// <summary>Checks of the certificate files at the start.</summary>
[Trait("Kind", "Unit")]
public sealed class TlsFilesTests : IDisposable
{
    private readonly PrivateAuthority _authority = new();
    private readonly (string Certificate, string Key) _one;

    public TlsFilesTests() => _one = _authority.Issue("one");

    public void Dispose() => _authority.Dispose();

    [Theory]
    [InlineData("authority", "certificate", "key", null)]
    [InlineData("", "", "", null)]
    [InlineData("missing", "", "", "CertificateAuthority: the file cannot be read (FileNotFoundException)")]
    [InlineData("folder", "", "", "CertificateAuthority: the file cannot be read (UnauthorizedAccessException)")]
    [InlineData("key", "", "", "CertificateAuthority: the file does not hold a certificate as PEM")]
    [InlineData("empty", "", "", "CertificateAuthority: the file does not hold a certificate as PEM")]
    [InlineData("broken", "", "", "CertificateAuthority: the file does not hold a certificate as PEM")]
    [InlineData("", "missing", "key", "ClientCertificate: the file cannot be read (FileNotFoundException)")]
    [InlineData("", "key", "key", "ClientCertificate: the file does not hold a certificate as PEM")]
    [InlineData("", "certificate", "missing", "ClientKey: the file cannot be read (FileNotFoundException)")]
    [InlineData("", "certificate", "other key", "ClientKey: the file does not hold the key of the certificate in ")]
    [InlineData("", "certificate", "certificate", "ClientKey: the file does not hold the key of the certificate in ")]
    [InlineData("", "certificate", "", "ClientCertificate: the file does not hold the key of the certificate in ")]
    [InlineData("", "both", "", null)]
    [InlineData("", "", "key", "ClientKey: needs Upstream:ClientCertificate")]
    public void A_file_that_cannot_be_used_is_one_line_that_names_the_option(
        string authority, string certificate, string key, string? error)
    {
        var errors = new ConfigurationErrors();

        new TlsFiles("Upstream", FileOf(authority), FileOf(certificate), FileOf(key)).Check(errors);

        if (error is null) Assert.Empty(errors.Lines);
        else Assert.StartsWith($"Upstream:{error}", Assert.Single(errors.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_that_has_expired_is_a_warning()
    {
        var (certificate, key) = _authority.Issue("expired", validDays: -1);
        var (errors, warnings) = (new ConfigurationErrors(), new ConfigurationErrors());
        var files = new TlsFiles("Upstream", "", certificate, key);

        files.Check(errors);
        files.Warn(warnings, DateTimeOffset.UtcNow);

        Assert.Empty(errors.Lines);
        Assert.StartsWith("Upstream:ClientCertificate: ", Assert.Single(warnings.Lines), StringComparison.Ordinal);
    }

    private string FileOf(string what) => what switch
    {
        "" => "",
        "authority" => _authority.Path,
        "certificate" => _one.Certificate,
        "key" => _one.Key,
        "other key" => _authority.Issue("other").Key,
        "folder" => Path.GetDirectoryName(_one.Key)!,
        "missing" => _one.Key + ".missing",
        "both" => Written(File.ReadAllText(_one.Certificate) + "\n" + File.ReadAllText(_one.Key)),
        "empty" => Written(""),
        _ => Written("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    };

    private string Written(string text)
    {
        File.WriteAllText(_one.Key + ".written", text);
        return _one.Key + ".written";
    }
}
