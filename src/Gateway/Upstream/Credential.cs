using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Upstream;

/// <summary>
/// An upstream credential: the value of <c>Authorization</c>, sent verbatim. It recognises its own echo in an upstream
/// answer, and its string representation does not reveal it.
/// </summary>
internal sealed class Credential
{
    public const string Form = "a credential is 8 to 4096 visible ASCII characters, with single spaces between words";

    private readonly Lazy<EchoedForms> _echoes;

    private Credential(string value)
    {
        HeaderValue = value;
        // Created on first use, because a configuration is also parsed only to check it.
        _echoes = new(() => new EchoedForms(Secret(value)));
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(value)).AsSpan(0, 8));
    }

    /// <summary>For the outbound request only.</summary>
    public string HeaderValue { get; }

    /// <summary>Identifies the credential between nodes: 64 bits of its SHA-256, in hexadecimal.</summary>
    public string Fingerprint { get; }

    /// <summary>The length of the longest form of the secret, in bytes.</summary>
    public int MaxEchoLength => _echoes.Value.MaxLength;

    public static bool TryParse(string value, [NotNullWhen(true)] out Credential? credential)
    {
        var fine = value.Length <= 4096 && Secret(value).Length >= 8 && value[0] != ' ' && value[^1] != ' '
            && value.All(c => c is >= ' ' and <= '~') && !value.Contains("  ", StringComparison.Ordinal);
        credential = fine ? new Credential(value) : null;
        return fine;
    }

    /// <param name="known">Returned if the file holds the same value.</param>
    public static bool TryReadFile(
        string path, [NotNullWhen(true)] out Credential? credential, out string problem, Credential? known = null)
    {
        credential = null;
        problem = "";
        try
        {
            var text = File.ReadAllText(path).Trim();
            if (text == known?.HeaderValue) credential = known;
            else if (!TryParse(text, out credential)) problem = $"the file does not hold a credential: {Form}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The message omits the path: an operator may have pasted a credential in its place.
            problem = $"the file cannot be read ({e.GetType().Name})";
        }
        return credential is not null;
    }

    /// <summary>Whether the text holds the secret in one of the <see cref="EchoedForms"/>.</summary>
    public bool IsIn(ReadOnlySpan<byte> text) => _echoes.Value.IsIn(text);

    /// <summary>The number of bytes at the end of the text that may be the start of the secret.</summary>
    public int StartAtEndOf(ReadOnlySpan<byte> text) => _echoes.Value.StartAtEndOf(text);

    public override string ToString() => "(credential)";

    // "Bearer abc": abc alone is the secret.
    private static string Secret(string value) => value[(value.LastIndexOf(' ') + 1)..];
}
