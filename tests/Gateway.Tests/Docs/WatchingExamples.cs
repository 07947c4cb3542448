using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Docs;

/// <summary>
/// The examples of <c>docs/watching.md</c>, as a reader of the page copies them. The first line of each is a comment
/// with the name of its file.
/// </summary>
internal static partial class WatchingExamples
{
    /// <summary>The job that the examples watch, in workflow survey-1.</summary>
    public const string Job = "job-7";

    private const string Address = "https://gateway.example.com/", Key = "X-Api-Key: ...";

    private static string Page { get; } =
        File.ReadAllText(Path.Combine(Repository.Root, "docs", "watching.md"));

    /// <summary>The command of the page that begins with a word, for a gateway and a key.</summary>
    public static string Command(string program, Uri gateway) =>
        ForGateway(Assert.Single(Commands().Matches(Page), match => match.Groups[1].Value == program).Value, gateway)
            .Replace(Key, $"X-Api-Key: {World.MappingKey}", StringComparison.Ordinal).Trim();

    /// <summary>The text of a file, for a gateway.</summary>
    public static string Text(string file, Uri gateway) =>
        ForGateway(Assert.Single(Files().Matches(Page), match => match.Groups[1].Value == file).Value, gateway);

    /// <summary>Writes files to a folder, for a gateway.</summary>
    public static void Write(DirectoryInfo folder, Uri gateway, params string[] files)
    {
        foreach (var file in files) File.WriteAllText(Path.Combine(folder.FullName, file), Text(file, gateway));
    }

    private static string ForGateway(string example, Uri gateway) =>
        example.Replace(Address, gateway.AbsoluteUri, StringComparison.Ordinal);

    [GeneratedRegex("^    ([a-z]+) .*$", RegexOptions.Multiline)]
    private static partial Regex Commands();

    [GeneratedRegex(
        "(?<=^```[a-z]+\n)// ([a-z-]+\\.[a-z]+)\n.*?(?=^```$)", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Files();
}
