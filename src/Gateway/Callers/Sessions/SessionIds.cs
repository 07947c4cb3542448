using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Creates and recognises the values of session cookies: 256 random bits, authenticated with the Data Protection keys
/// that all nodes share, in base64url. A made-up value is recognised without a lookup.
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
            : throw new InvalidOperationException($"A session id of {id.Length} characters is not valid.");
    }

    /// <summary>
    /// Whether a value has the form of a session id. Each id has one form: no white space, no padding, and no bits
    /// after the last byte.
    /// </summary>
    public static bool MayBeId(ReadOnlySpan<char> id) =>
        id.Length is > 0 and <= Longest && id.Length % 4 == 0 && !id.ContainsAnyExcept(Digits);

    /// <summary>Whether a gateway with these keys created the id. The session may have ended.</summary>
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
