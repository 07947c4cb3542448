namespace Gateway.Redis;

/// <summary>
/// The scripts that Redis runs, each as one indivisible step. They are files beside the classes that use them, named
/// <c>{name}.lua</c>; each says at its beginning what its keys and arguments are.
/// </summary>
internal static class ScriptFile
{
    /// <summary>The text of a script.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name.</exception>
    public static string Read(string name)
    {
        using var stream = typeof(ScriptFile).Assembly.GetManifestResourceStream($"{name}.lua")
            ?? throw new InvalidOperationException($"There is no script '{name}'.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
