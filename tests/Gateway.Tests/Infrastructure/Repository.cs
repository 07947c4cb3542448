namespace Gateway.Tests.Infrastructure;

internal static class Repository
{
    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = Find(new DirectoryInfo(AppContext.BaseDirectory));

    private static string Find(DirectoryInfo? folder) =>
        folder is null ? throw new InvalidOperationException("The tests run outside the repository.")
        : File.Exists(Path.Combine(folder.FullName, "Gateway.sln")) ? folder.FullName
        : Find(folder.Parent);
}
