using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Outbound;

/// <summary>How the gateway checks a server's certificate, and which certificate it shows.</summary>
/// <param name="Authorities">The authorities that may have signed it; null: those that the system trusts.</param>
/// <param name="Client">The certificate to show, with its intermediate certificates; null: none.</param>
internal sealed record Tls(X509Certificate2Collection? Authorities, SslStreamCertificateContext? Client)
{
    public static readonly Tls OfSystem = new(null, null);

    /// <summary>Returns new options for connections.</summary>
    /// <param name="host">The name of the server; null if the HTTP client sets it.</param>
    public SslClientAuthenticationOptions Options(string? host = null)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = host, ClientCertificateContext = Client };
        if (Authorities is null) return options;
        options.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities);
        // .NET accepts only a root as the end of a chain. An intermediate authority may be trusted, too.
        if (Authorities.Any(authority => !IsRoot(authority)))
        {
            options.RemoteCertificateValidationCallback = (_, _, chain, errors) => errors == SslPolicyErrors.None
                || (errors == SslPolicyErrors.RemoteCertificateChainErrors && EndsAtAuthority(chain));
        }
        return options;
    }

    private bool EndsAtAuthority(X509Chain? chain) =>
        chain is { ChainElements.Count: > 1 }
        && chain.ChainStatus.All(status => status.Status == X509ChainStatusFlags.PartialChain)
        && Authorities!.Any(
            authority => authority.RawDataMemory.Span.SequenceEqual(chain.ChainElements[^1].Certificate.RawData));

    private static bool IsRoot(X509Certificate2 certificate) =>
        certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);
}
