using System.Reflection;
using System.Text.Json;
using Gateway.Commands;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Commands;

/// <summary>
/// The wrong configurations of <c>Configurations/wrong.json</c>, and those of <c>odd.json</c>, which are allowed.
/// </summary>
public sealed class ConfigurationCorpusTests : IDisposable
{
    private const string Secret = "do-not-print-this-5f3a";

    private static readonly JsonSerializerOptions Naming = new(JsonSerializerDefaults.Web);

    private readonly string _environment = $"corpus-{Guid.NewGuid():N}";
    private readonly DirectoryInfo _secrets = Directory.CreateTempSubdirectory("gateway-corpus-");

    public static TheoryData<string> Wrong => [.. Entries("wrong").Keys];

    public static TheoryData<string> Odd => [.. Entries("odd").Keys];

    private string Json => Path.Combine(AppContext.BaseDirectory, $"appsettings.{_environment}.json");

    public void Dispose()
    {
        File.Delete(Json);
        _secrets.Delete(recursive: true);
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Check_and_start_report_each_mistake_with_its_key_and_no_secret(string what)
    {
        var entry = Entries("wrong")[what];
        var arguments = await PrepareAsync(entry);

        var check = entry.IsProcess ? await RunAsync(entry, ["check", .. arguments]) : await CheckAsync(arguments);
        var start = entry.IsProcess ? await RunAsync(entry, arguments) : await StartAsync(arguments);

        Assert.Equal((1, 1), (check.Exit, start.Exit));
        Assert.Equal(entry.Keys.Select(Fill).Order(StringComparer.Ordinal),
            check.Lines.Select(line => line.Split(": ")[0]).Order(StringComparer.Ordinal));
        Assert.Equal(check.Lines, entry.IsProcess ? [.. start.Lines.Select(ReasonOf).OfType<string>()] : start.Lines);
        foreach (var line in (string[])[.. check.Lines, .. start.Lines])
        {
            Assert.DoesNotContain(Secret, line, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Odd))]
    public async Task Check_warns_of_what_is_odd_but_allowed(string what)
    {
        const string Warning = "Warning: ";
        var entry = Entries("odd")[what];

        var (exit, lines) = await CheckAsync(await PrepareAsync(entry));

        Assert.True(exit == 0, string.Join('\n', lines));
        Assert.Equal(entry.Keys, lines.Where(line => line.StartsWith(Warning, StringComparison.Ordinal))
            .Select(line => line[Warning.Length..].Split(": ")[0]));
        Assert.All(lines, line => Assert.DoesNotContain(Secret, line, StringComparison.Ordinal));
    }

    [Fact]
    public void Each_section_is_wrong_in_an_entry() => Assert.Empty(
        typeof(GatewayOptions).GetProperties(BindingFlags.Instance | BindingFlags.Public)
            .Select(section => section.Name)
            .Except(Entries("wrong").Values.SelectMany(entry => entry.Keys).Select(key => key.Split(':')[0])));

    private static Dictionary<string, Entry> Entries(string file)
    {
        var path = Path.Combine(
            Repository.Root, "tests", "Gateway.Tests", "Commands", "Configurations", $"{file}.json");
        return JsonSerializer.Deserialize<Entry[]>(File.ReadAllText(path), Naming)!.ToDictionary(one => one.What);
    }

    /// <summary>Writes the files of an entry.</summary>
    /// <returns>The arguments.</returns>
    private async Task<string[]> PrepareAsync(Entry entry)
    {
        var text = entry.Text ?? entry.Settings?.GetRawText();
        if (text is not null) await File.WriteAllTextAsync(Json, Fill(text), World.Cancellation);
        foreach (var (name, value) in entry.Secrets ?? [])
        {
            await File.WriteAllTextAsync(Path.Combine(_secrets.FullName, name), Fill(value), World.Cancellation);
        }
        foreach (var (name, target) in entry.Links ?? [])
        {
            File.CreateSymbolicLink(Path.Combine(_secrets.FullName, name), target);
        }
        string[] credential = entry.Bare ? [] : [$"--Upstream:Accounts:default:Credential={Secret}"];
        // A start that wrongly succeeds takes any port.
        string[] address = entry.Settings?.TryGetProperty("urls", out _) == true || entry.IsProcess
            ? [] : ["--urls=http://127.0.0.1:0"];
        return [$"--environment={_environment}", .. credential, .. address, .. (entry.Arguments ?? []).Select(Fill)];
    }

    private string Fill(string text) => text.Replace("{secret}", Secret, StringComparison.Ordinal)
        .Replace("{secrets}", _secrets.FullName, StringComparison.Ordinal)
        .Replace("{folder}", Path.GetTempPath(), StringComparison.Ordinal)
        .Replace("{other}", Path.Combine(Repository.Root, "README.md"), StringComparison.Ordinal)
        .Replace("{file}", Json, StringComparison.Ordinal);

    private static async Task<(int Exit, string[] Lines)> CheckAsync(string[] arguments)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var exit = await CheckCommand.RunAsync(arguments, isOnline: false, output, errors, World.Cancellation);
        return (exit, LinesOf($"{output}{errors}"));
    }

    // The same as a start of the process, without its log.
    private static async Task<(int Exit, string[] Lines)> StartAsync(string[] arguments)
    {
        string[] reasons = [];
        var exit = await CommandLine.RunAsync(() => Program.Build(arguments), lines => reasons = [.. lines],
            app => app.Lifetime.StopApplication());
        return (exit, reasons);
    }

    private async Task<(int Exit, string[] Lines)> RunAsync(Entry entry, string[] arguments)
    {
        var environment = new Dictionary<string, string?> { ["GATEWAY_SECRETS"] = _secrets.FullName };
        foreach (var (name, value) in entry.Environment ?? []) environment[name] = Fill(value);
        var (exit, output) = await ChildProcess.RunAsync(
            "dotnet", [GatewayProcess.Executable, .. arguments], environment);
        return (exit, LinesOf(output));
    }

    private static string[] LinesOf(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    // The reason in a log line of a failed start.
    private static string? ReasonOf(string line)
    {
        using var json = JsonDocument.Parse(line);
        const string Beginning = "The gateway cannot start: ";
        var message = json.RootElement.GetProperty("Message").GetString()!;
        return message.StartsWith(Beginning, StringComparison.Ordinal) ? message[Beginning.Length..] : null;
    }

    /// <param name="What">The name of the test.</param>
    /// <param name="Keys">The keys, or files, of the lines that are expected.</param>
    /// <param name="Settings">The content of a JSON file.</param>
    /// <param name="Text">The same, if it is not valid.</param>
    /// <param name="Arguments">Further arguments.</param>
    /// <param name="Environment">Variables of the environment.</param>
    /// <param name="Secrets">Files of the directory of secrets.</param>
    /// <param name="Links">Links of the directory of secrets, with their targets.</param>
    /// <param name="Bare">Whether there is no upstream credential.</param>
    /// <param name="IsProcess">Whether the test runs processes.</param>
    private sealed record Entry(
        string What, string[] Keys, JsonElement? Settings, string? Text, string[]? Arguments,
        Dictionary<string, string>? Environment, Dictionary<string, string>? Secrets,
        Dictionary<string, string>? Links, bool Bare, bool IsProcess);
}
