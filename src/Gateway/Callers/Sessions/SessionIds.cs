using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Makes and recognises the values of session cookies: 256 random bits, authenticated by the Data Protection keys that
/// all nodes share, in base64url. A value that no gateway made is told apart without looking it up anywhere.
/// </summary>
internal sealed class SessionIds(IDataProtectionProvider protection)
{
    private const int RandomBytes = 32, Longest = 256;

    private static readonly SearchValues<char> Digits =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly IDataProtector _protector = protection.CreateProtector("session");

    public string New()
    {
        var id = Base64Url.EncodeToString(_protector.Protect(RandomNumberGenerator.GetBytes(RandomBytes)));
        return MayBeId(id) ? id
            : throw new InvalidOperationException($"A session id of {id.Length} characters has another form.");
    }

    /// <summary>
    /// Whether it has the form of one. That leaves one way to write each: no white space, no padding, and no bits
    /// beyond the last byte.
    /// </summary>
    public static bool MayBeId(ReadOnlySpan<char> id) =>
        id.Length is > 0 and <= Longest && id.Length % 4 == 0 && !id.ContainsAnyExcept(Digits);

    /// <summary>Whether a gateway with these keys made it. It says nothing of whether the session goes on.</summary>
    public bool IsMadeHere(ReadOnlySpan<char> id)
    {
        try
        {
            return MayBeId(id) && _protector.Unprotect(Base64Url.DecodeFromChars(id)).Length == RandomBytes;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
