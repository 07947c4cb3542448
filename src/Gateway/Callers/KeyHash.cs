using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Callers;

/// <summary>
/// The SHA-256 of a whole gateway key (UTF-8). The gateway stores only this hash. A comparison takes the same time
/// wherever two hashes differ. The timing of the hash table depends only on the hash, which a caller cannot choose.
/// </summary>
internal readonly struct KeyHash : IEquatable<KeyHash>
{
    [ThreadStatic]
    private static IncrementalHash? _sha256;

    private readonly Bytes _bytes;

    private KeyHash(in Bytes bytes) => _bytes = bytes;

    /// <summary>The longest key that is hashed, in characters.</summary>
    public const int MaxKeyLength = 512;

    public static KeyHash Of(ReadOnlySpan<char> key)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(key.Length, MaxKeyLength);
        Span<byte> utf8 = stackalloc byte[key.Length * 3];
        var length = Encoding.UTF8.GetBytes(key, utf8);
        var bytes = default(Bytes);
        // Each request computes a hash, and creating the hash object would take longer than the computation.
        var hash = _sha256 ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(utf8[..length]);
        hash.GetHashAndReset(MemoryMarshal.AsBytes(new Span<Bytes>(ref bytes)));
        return new KeyHash(bytes);
    }

    /// <summary>Parses 64 hexadecimal digits in any case.</summary>
    public static bool TryParse(string? hex, [NotNullWhen(true)] out KeyHash? hash)
    {
        var bytes = default(Bytes);
        var span = MemoryMarshal.AsBytes(new Span<Bytes>(ref bytes));
        var fine = hex is { Length: SHA256.HashSizeInBytes * 2 }
            && Convert.FromHexString(hex, span, out _, out _) == System.Buffers.OperationStatus.Done;
        hash = fine ? new KeyHash(bytes) : null;
        return fine;
    }

    // Compares all bytes at once, in constant time.
    public bool Equals(KeyHash other) =>
        Vector256.EqualsAll(Vector256.Create(AsSpan(in this)), Vector256.Create(AsSpan(in other)));

    public override bool Equals(object? obj) => obj is KeyHash other && Equals(other);

    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(AsSpan(in this));

    /// <summary>Lower-case hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(AsSpan(in this));

    private static ReadOnlySpan<byte> AsSpan(in KeyHash hash) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<KeyHash>(in hash));

    [StructLayout(LayoutKind.Sequential, Size = SHA256.HashSizeInBytes)]
    private struct Bytes;
}
