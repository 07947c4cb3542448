using System.Buffers.Text;
using System.Security.Cryptography;

namespace Gateway.Callers;

/// <summary>Makes gateway keys.</summary>
internal static class NewKey
{
    /// <summary>A prefix that people and scanners recognise, then 256 random bits in base64url (RFC 4648, section 5).</summary>
    public static string Create() => "gwk_" + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
}
