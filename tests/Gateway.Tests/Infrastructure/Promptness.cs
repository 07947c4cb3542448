namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Asserts response times on a shared machine: nearly all answers must be in time, and a late one may only be late by
/// a short delay.
/// </summary>
internal static class Promptness
{
    private const double Most = 0.95;

    /// <summary>The delay that a busy machine may add.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    public static void AssertWithin<T>(TimeSpan bound, IEnumerable<T> answers, Func<T, TimeSpan> took)
    {
        var byTime = answers.OrderBy(took).ToArray();
        Assert.NotEmpty(byTime);
        var typical = byTime[(int)((byTime.Length - 1) * Most)];
        Assert.True(took(typical) <= bound, $"One in {1 / (1 - Most):0} took longer than {bound}: {typical}");
        Assert.True(took(byTime[^1]) <= bound + Grace, $"Longer than {bound}, by far: {byTime[^1]}");
    }
}
