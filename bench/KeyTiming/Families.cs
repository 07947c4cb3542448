using Gateway.Callers;

namespace Gateway.KeyTiming;

/// <summary>Wrong keys made by one rule.</summary>
internal sealed class KeyClass(string name, int count, Func<string> make)
{
    public string Name => name;

    public string[] Keys { get; private set; } = [];

    public void Renew() => Keys = Families.Make(count, make);
}

/// <summary>
/// Classes that differ in how much of a key is right, and neither in its length nor in why it is refused.
/// </summary>
internal sealed record Family(Refusal Refusal, params KeyClass[] Classes);

/// <summary>
/// The right keys, and the families of wrong ones. Damaged keys and whole ones are two families: which of them a key is
/// anyone computes without asking the gateway, its answers say so too, and each goes a way of its own. A difference
/// between the two tells nothing of a right key; one within a family would.
/// </summary>
internal sealed class Families
{
    public const string None = "none right", AllButLast = "all but last";

    // More right keys would leave too few characters in which a wrong one is unlike all of them.
    private const int RightKeys = 32;
    private const int KeysOfClass = 2048;

    private WrongKeys? _own, _foreign;

    public Families()
    {
        Damaged = new(Refusal.Damaged, Classes(KeysOfClass, alike => _own!.Damaged(alike), 1, 24, 47));
        // Of the 48 characters, the first 32 are 24 random bytes, and the 42nd is the last that is random alone: in the
        // rest is the checksum, which is another one for every key.
        var whole = (int alike) => _own!.Whole(alike);
        Whole = new(Refusal.Unknown,
            [.. Classes(KeysOfClass, whole, 1, 24, 41), new("24 bytes right", KeysOfClass, () => whole(32))]);
        MadeElsewhere = new(Refusal.Unknown, Classes(KeysOfClass, alike => _foreign!.Any(alike), 1, 24, 47));
        SameTwice = new(Refusal.Unknown,
            new KeyClass(None, KeysOfClass, () => whole(0)), new KeyClass("none right too", KeysOfClass, () => whole(0)));
        LongOnes = new(Refusal.Unknown, Classes(64, WrongKeys.BesideForeign(Long).Any, 1, 12_000, 23_999));
        foreach (var keys in LongOnes.Classes) keys.Renew();
        Renew();
    }

    public string[] Own { get; private set; } = [];

    public string[] Foreign { get; private set; } = [];

    /// <summary>Right keys so long that, over a socket, a naive comparison stands out from the noise.</summary>
    public string[] Long { get; } = Make(RightKeys, () => WrongKeys.Foreign(24_000));

    public Family Damaged { get; }

    public Family Whole { get; }

    public Family MadeElsewhere { get; }

    /// <summary>For the control that must show a difference.</summary>
    public Family LongOnes { get; }

    /// <summary>For the control that must show none.</summary>
    public Family SameTwice { get; }

    /// <summary>
    /// Makes all keys anew, right and wrong. A look-up takes a moment longer for one hash than for another, which is
    /// chance and tells nothing of a key; but there are only so many keys with all but the last character of a right
    /// one, and what their hashes have in common by chance would look like a difference to whoever measures long
    /// enough.
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
