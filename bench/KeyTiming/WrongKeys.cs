using System.Buffers.Text;
using System.Security.Cryptography;
using Gateway.Callers;

namespace Gateway.KeyTiming;

/// <summary>
/// Creates wrong keys that share a prefix with a valid key, and differ from all valid keys in every later character.
/// The checksum cannot be chosen; it differs only from that of the same valid key.
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

    /// <summary>Wrong keys for valid ones that the gateway created.</summary>
    public static WrongKeys BesideOwn(string[] right) =>
        new(OwnPrefix, [.. right.Select(key => key[OwnPrefix.Length..])]);

    /// <summary>Wrong keys for valid ones from elsewhere.</summary>
    public static WrongKeys BesideForeign(string[] right) => new("", right);

    /// <summary>Creates a valid key that does not have the gateway's format.</summary>
    public static string Foreign(int length) => RandomNumberGenerator.GetString(Alphabet, length);

    /// <summary>Creates a wrong key with this number of correct characters, not counting the common prefix.</summary>
    public string Any(int alike) => _prefix + Like(Target(), alike);

    /// <summary>Creates a key whose checksum does not match its random part.</summary>
    public string Damaged(int alike)
    {
        string key;
        do key = Any(alike); while (GatewayKey.IsWhole(key));
        return key;
    }

    /// <summary>Creates a well-formed key that nobody has.</summary>
    public string Whole(int alike)
    {
        while (true)
        {
            var target = Target();
            var bytes = Base64Url.DecodeFromChars(Like(target, alike));
            var checksum = SHA256.HashData(bytes.AsSpan(0, RandomBytes)).AsSpan(0, bytes.Length - RandomBytes);
            checksum.CopyTo(bytes.AsSpan(RandomBytes));
            var key = Base64Url.EncodeToString(bytes);
            // The checksum may have made another character equal by chance.
            var place = alike;
            while (place < key.Length && key[place] != target[place]) place++;
            if (place == key.Length) return _prefix + key;
        }
    }

    private string Target() => _right[Random.Shared.Next(_right.Length)];

    private string Like(string target, int alike) =>
        string.Create(target.Length, (target, alike, _unlike), static (key, from) =>
    {
        from.target.AsSpan(0, from.alike).CopyTo(key);
        for (var place = from.alike; place < key.Length; place++)
        {
            var others = from._unlike[place];
            key[place] = others[Random.Shared.Next(others.Length)];
        }
    });
}
