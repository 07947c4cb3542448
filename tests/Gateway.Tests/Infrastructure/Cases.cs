namespace Gateway.Tests.Infrastructure;

/// <summary>
/// How much the long tests do: all of it where every change is checked, once, and some of it elsewhere.
/// </summary>
internal static class Cases
{
    private static readonly bool All =
        Environment.GetEnvironmentVariable("CI") is { Length: > 0 } && Environment.GetEnvironmentVariable("GATEWAY_TEST_REDIS") is not "garnet";

    /// <summary>Cases of a long property.</summary>
    public static readonly int Many = All ? 100_000 : 5_000;

    /// <summary>A long outage.</summary>
    public static readonly TimeSpan Long = TimeSpan.FromSeconds(All ? 60 : 12);
}
