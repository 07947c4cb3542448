namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Whether answers are in time, on a machine that others use as well: nearly all must be, and one that is not must have
/// been held up shortly, not have waited for something it should not wait for.
/// </summary>
internal static class Promptness
{
    private const double Most = 0.95;

    /// <summary>By how much a busy machine may be late.</summary>
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
