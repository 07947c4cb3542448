using System.Buffers.Text;
using System.Security.Cryptography;
using Gateway.Callers;

namespace Gateway.KeyTiming;

/// <summary>
/// Makes wrong keys that begin like one of the right ones, and from there on have no character where any right one has
/// it; but for a checksum, which cannot be chosen, and is only unlike that of the same one.
/// </summary>
internal sealed class WrongKeys
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    private const string OwnPrefix = "gwk_";
    private const int RandomBytes = 32;

    private readonly string _prefix;
    private readonly string[] _right;
    private readonly char[][] _unlike;

    private WrongKeys(string prefix, string[] right)
    {
        (_prefix, _right) = (prefix, right);
        var places = Enumerable.Range(0, right[0].Length);
        _unlike = [.. places.Select(place => Alphabet.Except(right.Select(key => key[place])).ToArray())];
    }

    /// <summary>Wrong ones beside keys that the gateway made.</summary>
    public static WrongKeys BesideOwn(string[] right) => new(OwnPrefix, [.. right.Select(key => key[OwnPrefix.Length..])]);

    /// <summary>Wrong ones beside keys that were made elsewhere.</summary>
    public static WrongKeys BesideForeign(string[] right) => new("", right);

    /// <summary>A right key as another maker may make it.</summary>
    public static string Foreign(int length) => RandomNumberGenerator.GetString(Alphabet, length);

    /// <summary>
    /// One with so many of its first characters right; those of the prefix are everybody's and do not count.
    /// </summary>
    public string Any(int alike) => _prefix + Like(Target(), alike);

    /// <summary>One that is not whole: its checksum is not that of its random part.</summary>
    public string Damaged(int alike)
    {
        string key;
        do key = Any(alike); while (GatewayKey.IsWhole(key));
        return key;
    }

    /// <summary>One that is whole, and which nobody has.</summary>
    public string Whole(int alike)
    {
        while (true)
        {
            var target = Target();
            var bytes = Base64Url.DecodeFromChars(Like(target, alike));
            var checksum = SHA256.HashData(bytes.AsSpan(0, RandomBytes)).AsSpan(0, bytes.Length - RandomBytes);
            checksum.CopyTo(bytes.AsSpan(RandomBytes));
            var key = Base64Url.EncodeToString(bytes);
            // The checksum is what it is, and may have made another character right.
            var place = alike;
            while (place < key.Length && key[place] != target[place]) place++;
            if (place == key.Length) return _prefix + key;
        }
    }

    private string Target() => _right[Random.Shared.Next(_right.Length)];

    private string Like(string target, int alike) => string.Create(target.Length, (target, alike, _unlike), static (key, from) =>
    {
        from.target.AsSpan(0, from.alike).CopyTo(key);
        for (var place = from.alike; place < key.Length; place++)
        {
            var others = from._unlike[place];
            key[place] = others[Random.Shared.Next(others.Length)];
        }
    });
}
