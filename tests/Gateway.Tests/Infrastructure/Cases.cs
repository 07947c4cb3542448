namespace Gateway.Tests.Infrastructure;

/// <summary>How many cases the long properties run: all of them where every change is checked, some elsewhere.</summary>
internal static class Cases
{
    public static readonly int Many = Environment.GetEnvironmentVariable("CI") is { Length: > 0 } ? 100_000 : 5_000;
}
