using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Gateway.Callers;

/// <summary>
/// The keys that the gateway creates: a prefix that people and secret scanners recognise, then 48 characters of
/// base64url (RFC 4648, section 5). The characters encode 256 random bits and a checksum, the first 4 bytes of their
/// SHA-256. The checksum detects a key that was cut or mistyped. A key created elsewhere may have any form.
/// </summary>
internal static class GatewayKey
{
    private const string Prefix = "gwk_";
    private const int RandomLength = 32, ChecksumLength = 4, Length = RandomLength + ChecksumLength;

    public static string Create()
    {
        Span<byte> bytes = stackalloc byte[Length];
        RandomNumberGenerator.Fill(bytes[..RandomLength]);
        SHA256.HashData(bytes[..RandomLength])[..ChecksumLength].CopyTo(bytes[RandomLength..]);
        return Prefix + Base64Url.EncodeToString(bytes);
    }

    /// <summary>Whether a key has the prefix of these keys.</summary>
    public static bool IsMeant(ReadOnlySpan<char> key) => key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Whether a key has the prefix and a correct checksum.</summary>
    public static bool IsWhole(ReadOnlySpan<char> key)
    {
        Span<byte> bytes = stackalloc byte[Length];
        return IsMeant(key)
            && key.Length == Prefix.Length + Base64Url.GetEncodedLength(Length)
            && Base64Url.DecodeFromChars(key[Prefix.Length..], bytes, out _, out var length) == OperationStatus.Done
            && length == Length
            && SHA256.HashData(bytes[..RandomLength]).AsSpan(0, ChecksumLength).SequenceEqual(bytes[RandomLength..]);
    }
}
