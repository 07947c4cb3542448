using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Docs;

/// <summary>Checks that files, headings, tests, commands and scripts that the documentation names exist.</summary>
[Trait("Kind", "Unit")]
public sealed partial class DocsTests
{
    private static readonly string[] Folders = ["", "docs", "docs/decisions", "deploy"];

    private static readonly string[] Roots = ["src", "tests", "bench", "docs", "deploy", ".ci"];

    public static TheoryData<string> Pages =>
        [.. Files("*.md").Select(page => Path.GetRelativePath(Repository.Root, page))];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_link_targets_an_existing_file_and_heading(string page)
    {
        var (path, text) = Read(page);
        var dead = Link().Matches(text).Select(match => match.Groups[1].Value)
            .Where(link => !link.Contains("://", StringComparison.Ordinal) && !IsAlive(path, link));
        Assert.Empty(dead);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_file_named_in_a_page_exists(string page)
    {
        var named = CodeSpan().Matches(Read(page).Text).Select(match => match.Groups[1].Value.Split(' ')[0])
            .Where(name => Roots.Any(root => name.StartsWith(root + "/", StringComparison.Ordinal))
                && !name.Contains('{', StringComparison.Ordinal));
        string[] missing = [.. named.Where(name => !Path.Exists(Path.Combine(Repository.Root, name)))];
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_source_file_named_in_a_page_exists(string page)
    {
        var named = SourceFile().Matches(Read(page).Text).Select(match => match.Groups[1].Value);
        string[] missing = [.. named.Where(
            name => !File.Exists(Path.Combine(Repository.Root, "src", "Gateway", name)))];
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_test_named_in_a_page_exists(string page)
    {
        var tests = Directory.GetFiles(
            Path.Combine(Repository.Root, "tests", "Gateway.Tests"), "*Tests.cs", SearchOption.AllDirectories);
        var named = TestName().Matches(Read(page).Text)
            .Select(match => $"/{match.Groups[1].Value.Replace('.', '/')}.cs");
        string[] missing = [.. named.Where(
            name => !tests.Any(test => test.Replace('\\', '/').EndsWith(name, StringComparison.Ordinal)))];
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_command_named_in_a_page_exists(string page)
    {
        var commands = Directory.GetFiles(Path.Combine(Repository.Root, "src", "Gateway", "Commands"), "*Command.cs")
            .Select(file => Path.GetFileNameWithoutExtension(file).Replace("Command", "", StringComparison.Ordinal)
                .ToLowerInvariant())
            .ToArray();
        var named = Command().Matches(Read(page).Text).Select(match => match.Groups[1].Value);
        string[] missing = [.. named.Where(name => !commands.Contains(name))];
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_script_named_in_a_page_exists(string page)
    {
        var named = Script().Matches(Read(page).Text).Select(match => match.Groups[1].Value);
        string[] missing = [.. named.Where(name => !File.Exists(Path.Combine(Repository.Root, name)))];
        Assert.Empty(missing);
    }

    private static bool IsAlive(string page, string link)
    {
        var parts = link.Split('#');
        var target = parts[0].Length == 0 ? page
            : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, parts[0]));
        if (!Path.Exists(target)) return false;
        return parts.Length == 1 || Heading().Matches(File.ReadAllText(target))
            .Any(match => Anchor(match.Groups[1].Value) == parts[1]);
    }

    // The anchor that the code host generates for a heading.
    private static string Anchor(string heading) =>
        NotInAnchors().Replace(heading.Trim().ToLowerInvariant(), "").Replace(' ', '-');

    private static (string Path, string Text) Read(string page)
    {
        var path = Path.Combine(Repository.Root, page);
        return (path, File.ReadAllText(path));
    }

    private static IEnumerable<string> Files(string pattern) =>
        Folders.SelectMany(folder => Directory.GetFiles(Path.Combine(Repository.Root, folder), pattern));

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex CodeSpan();

    [GeneratedRegex("`([A-Z][A-Za-z/.]*Tests)`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"`((?:[A-Z][A-Za-z]+/)+[A-Za-z-]+\.(?:cs|lua))`")]
    private static partial Regex SourceFile();

    [GeneratedRegex(@"--project src/Gateway -- ([a-z]+)")]
    private static partial Regex Command();

    [GeneratedRegex(@"^    ((?:bench|\.ci)/[a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex Script();

    [GeneratedRegex("^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}
