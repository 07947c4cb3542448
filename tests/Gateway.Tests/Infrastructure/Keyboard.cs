using Microsoft.Playwright;

namespace Gateway.Tests.Infrastructure;

internal static class Keyboard
{
    /// <summary>
    /// Focuses a button or link and presses Enter. A mouse click waits until the element stops moving, which needs
    /// drawn frames, and a busy machine may draw none for a long time.
    /// </summary>
    public static Task PressEnterAsync(this ILocator control) => control.PressAsync("Enter");
}
