using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Callers;

/// <summary>
/// The SHA-256 of a whole gateway key (UTF-8), which is all the gateway keeps of it. Equality takes the same time
/// wherever two hashes differ; what a lookup table reveals beside it is a property of the hash, which a caller cannot
/// steer towards a key it does not have.
/// </summary>
internal readonly struct KeyHash : IEquatable<KeyHash>
{
    [ThreadStatic]
    private static IncrementalHash? _sha256;

    private readonly Bytes _bytes;

    private KeyHash(in Bytes bytes) => _bytes = bytes;

    /// <summary>The longest key that is looked at, in characters.</summary>
    public const int MaxKeyLength = 512;

    public static KeyHash Of(ReadOnlySpan<char> key)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(key.Length, MaxKeyLength);
        Span<byte> utf8 = stackalloc byte[key.Length * 3];
        var length = Encoding.UTF8.GetBytes(key, utf8);
        var bytes = default(Bytes);
        // Every request is hashed, and a new hash each time takes longer than the hashing.
        var hash = _sha256 ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(utf8[..length]);
        hash.GetHashAndReset(MemoryMarshal.AsBytes(new Span<Bytes>(ref bytes)));
        return new KeyHash(bytes);
    }

    /// <summary>Reads 64 hexadecimal digits, of either case.</summary>
    public static bool TryParse(string? hex, [NotNullWhen(true)] out KeyHash? hash)
    {
        var bytes = default(Bytes);
        var span = MemoryMarshal.AsBytes(new Span<Bytes>(ref bytes));
        var fine = hex is { Length: SHA256.HashSizeInBytes * 2 }
            && Convert.FromHexString(hex, span, out _, out _) == System.Buffers.OperationStatus.Done;
        hash = fine ? new KeyHash(bytes) : null;
        return fine;
    }

    // All bytes at once, in whatever they differ.
    public bool Equals(KeyHash other) => Vector256.EqualsAll(Vector256.Create(AsSpan(in this)), Vector256.Create(AsSpan(in other)));

    public override bool Equals(object? obj) => obj is KeyHash other && Equals(other);

    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(AsSpan(in this));

    /// <summary>Lower-case hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(AsSpan(in this));

    private static ReadOnlySpan<byte> AsSpan(in KeyHash hash) => MemoryMarshal.AsBytes(new ReadOnlySpan<KeyHash>(in hash));

    [StructLayout(LayoutKind.Sequential, Size = SHA256.HashSizeInBytes)]
    private struct Bytes;
}
