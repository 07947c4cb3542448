namespace Gateway.Telemetry;

/// <summary>Prepares text that a caller or another server chose for a line of the log.</summary>
internal static class LogText
{
    private const int MostLength = 256;

    /// <summary>
    /// Shortens a text to 256 characters, and replaces characters that could begin another line or
    /// control a terminal.
    /// </summary>
    public static string Clean(string text) => string.Create(Math.Min(text.Length, MostLength), text,
        static (clean, text) =>
        {
            for (var i = 0; i < clean.Length; i++) clean[i] = IsSafe(text[i]) ? text[i] : '?';
        });

    private static bool IsSafe(char c) => !char.IsControl(c) && c is not ('\u2028' or '\u2029');
}
