namespace Gateway.Tests.Infrastructure;

/// <summary>The size of long tests: full size in the main CI run, a part of it elsewhere.</summary>
internal static class Cases
{
    private static readonly bool All =
        Environment.GetEnvironmentVariable("CI") is { Length: > 0 }
            && Environment.GetEnvironmentVariable("GATEWAY_TEST_REDIS") is not "garnet";

    /// <summary>The number of cases of a long property test.</summary>
    public static readonly int Many = All ? 100_000 : 5_000;

    /// <summary>The length of a long outage.</summary>
    public static readonly TimeSpan Long = TimeSpan.FromSeconds(All ? 60 : 12);
}
