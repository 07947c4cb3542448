namespace Gateway.KeyTiming;

/// <summary>
/// The positive control: compares keys character by character until one differs. A method that does not detect this
/// difference detects nothing.
/// </summary>
internal sealed class NaiveKeys(string[] keys)
{
    public string[] Keys { get; set; } = keys;

    public bool Has(string presented)
    {
        foreach (var key in Keys)
        {
            if (AreEqual(key, presented)) return true;
        }
        return false;
    }

    // string.Equals compares many characters at once, so it is not used.
    private static bool AreEqual(string a, string b)
    {
        if (a.Length != b.Length) return false;
        for (var i = 0; i < a.Length; i++)
        {
            if (a[i] != b[i]) return false;
        }
        return true;
    }
}
