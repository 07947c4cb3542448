using Gateway.Callers;

namespace Gateway.KeyTiming;

/// <summary>Wrong keys that one rule creates.</summary>
internal sealed class KeyClass(string name, int count, Func<string> make)
{
    public string Name => name;

    public string[] Keys { get; private set; } = [];

    public void Renew() => Keys = Families.Make(count, make);
}

/// <summary>
/// Classes that differ in how much of a key is correct, but not in its length or the reason of refusal.
/// </summary>
internal sealed record Family(Refusal Refusal, params KeyClass[] Classes);

/// <summary>
/// The valid keys, and the families of wrong ones. Damaged and well-formed keys are two families: anyone can tell them
/// apart without the gateway, and the answers state it too. A difference between the two families reveals nothing
/// about valid keys; a difference within a family would.
/// </summary>
internal sealed class Families
{
    public const string None = "none right", AllButLast = "all but last";

    // With more valid keys, too few characters remain that differ from all of them.
    private const int RightKeys = 32;
    private const int KeysOfClass = 2048;

    private WrongKeys? _own, _foreign;

    public Families()
    {
        Damaged = new(Refusal.Damaged, Classes(KeysOfClass, alike => _own!.Damaged(alike), 1, 24, 47));
        // The first 32 of the 48 characters are 24 random bytes, and the 42nd is the last fully random character. The
        // checksum at the end differs for every key.
        var whole = (int alike) => _own!.Whole(alike);
        Whole = new(Refusal.Unknown,
            [.. Classes(KeysOfClass, whole, 1, 24, 41), new("24 bytes right", KeysOfClass, () => whole(32))]);
        MadeElsewhere = new(Refusal.Unknown, Classes(KeysOfClass, alike => _foreign!.Any(alike), 1, 24, 47));
        SameTwice = new(Refusal.Unknown,
            new KeyClass(None, KeysOfClass, () => whole(0)),
            new KeyClass("none right too", KeysOfClass, () => whole(0)));
        LongOnes = new(Refusal.Unknown, Classes(64, WrongKeys.BesideForeign(Long).Any, 1, 12_000, 23_999));
        foreach (var keys in LongOnes.Classes) keys.Renew();
        Renew();
    }

    public string[] Own { get; private set; } = [];

    public string[] Foreign { get; private set; } = [];

    /// <summary>Valid keys so long that, over a socket, a naive comparison stands out from the noise.</summary>
    public string[] Long { get; } = Make(RightKeys, () => WrongKeys.Foreign(24_000));

    public Family Damaged { get; }

    public Family Whole { get; }

    public Family MadeElsewhere { get; }

    /// <summary>The positive control, which must show a difference.</summary>
    public Family LongOnes { get; }

    /// <summary>The negative control, which must show no difference.</summary>
    public Family SameTwice { get; }

    /// <summary>
    /// Creates new keys, valid and wrong. The look-up of one hash takes slightly longer than that of another by
    /// chance, which reveals nothing about a key. Few keys share all but the last character with a valid key, so
    /// without new keys, chance properties of their hashes would look like a difference in long measurements.
    /// </summary>
    public void Renew()
    {
        (Own, Foreign) = (Make(RightKeys, GatewayKey.Create), Make(RightKeys, () => WrongKeys.Foreign(48)));
        (_own, _foreign) = (WrongKeys.BesideOwn(Own), WrongKeys.BesideForeign(Foreign));
        foreach (var family in (Family[])[Damaged, Whole, MadeElsewhere, SameTwice])
        {
            foreach (var keys in family.Classes) keys.Renew();
        }
    }

    public static string[] Make(int count, Func<string> make) => [.. Enumerable.Range(0, count).Select(_ => make())];

    private static KeyClass[] Classes(int count, Func<int, string> make, int first, int half, int most) =>
    [
        new(None, count, () => make(0)),
        new("first right", count, () => make(first)),
        new("half right", count, () => make(half)),
        new(AllButLast, count, () => make(most)),
    ];
}
