using System.Diagnostics;

namespace Gateway.Tests.Infrastructure;

/// <summary>Waits until a condition holds, in place of a sleep.</summary>
internal static class Wait
{
    /// <summary>Waits until a condition holds, within a bound that is part of the assertion.</summary>
    public static async Task UntilAsync(TimeSpan bound, Func<Task<bool>> holds, string what)
    {
        var waiting = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.True(waiting.Elapsed < bound, $"Not within {bound}: {what}");
            await Task.Delay(10, World.Cancellation);
        }
    }

    /// <inheritdoc cref="UntilAsync(TimeSpan, Func{Task{bool}}, string)"/>
    public static Task UntilAsync(TimeSpan bound, Func<bool> holds, string what) =>
        UntilAsync(bound, () => Task.FromResult(holds()), what);
}
