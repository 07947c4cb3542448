namespace Gateway.Redis;

/// <summary>
/// Reads the Lua scripts that Redis runs atomically. A script is a file <c>{name}.lua</c> beside the class that uses
/// it, and describes its keys and arguments.
/// </summary>
internal static class ScriptFile
{
    /// <summary>Returns the text of a script.</summary>
    /// <exception cref="InvalidOperationException">There is no script of this name.</exception>
    public static string Read(string name)
    {
        using var stream = typeof(ScriptFile).Assembly.GetManifestResourceStream($"{name}.lua")
            ?? throw new InvalidOperationException($"There is no script '{name}'.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
