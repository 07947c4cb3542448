using Microsoft.Playwright;

namespace Gateway.Tests.Infrastructure;

internal static class Keyboard
{
    /// <summary>
    /// Moves the focus to a button or link and presses Enter. A click with the mouse first waits until the element does
    /// not move, for which the browser must draw frames; on a busy machine it sometimes draws none for a long time.
    /// </summary>
    public static Task PressEnterAsync(this ILocator control) => control.PressAsync("Enter");
}
