using System.Reflection;
using Microsoft.Extensions.Configuration.CommandLine;
using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace Gateway.Configuration;

/// <summary>A setting in force.</summary>
/// <param name="Value">The value, or <c>***</c> if it may be a secret.</param>
/// <param name="Source">The file, the environment or the command line that the value comes from.</param>
internal sealed record Setting(string Key, string Value, string Source);

/// <summary>Describes the settings in force for people. Secrets are masked.</summary>
internal static class Settings
{
    private const string Mask = "***";

    private static readonly string BaseDirectory = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);

    private static readonly string[] SecretNames = ["Credential", "Secret", "Password", "Sha256"];

    /// <summary>Returns the settings of the options and of the framework's sections that matter, by section.</summary>
    public static IEnumerable<Setting> Of<T>(IConfigurationRoot configuration) where T : ICheckedOptions =>
        from section in typeof(T).GetProperties(BindingFlags.Instance | BindingFlags.Public)
            .Select(property => property.Name).Concat(T.FrameworkSections)
        from setting in configuration.GetSection(section).AsEnumerable().Reverse()
        where setting.Value is not null
        select new Setting(setting.Key, ValueOf(setting.Key, setting.Value), SourceOf(configuration, setting.Key));

    /// <summary>Names a source; null if it is part of the gateway itself.</summary>
    public static string? NameOf(IConfigurationProvider provider) => provider switch
    {
        DiskProvider disk when Path.GetDirectoryName(disk.Path) == BaseDirectory => Path.GetFileName(disk.Path),
        DiskProvider disk => disk.Path,
        EnvironmentVariablesConfigurationProvider => "environment",
        CommandLineConfigurationProvider => "command line",
        _ => null,
    };

    private static string SourceOf(IConfigurationRoot configuration, string key) =>
        NameOf(configuration.Providers.Last(provider => provider.TryGet(key, out _))) ?? "gateway";

    private static string ValueOf(string key, string value)
    {
        var isSecret = key.StartsWith("ConnectionStrings:", StringComparison.OrdinalIgnoreCase)
            || key.Split(':').Any(name =>
                SecretNames.Any(secret => name.EndsWith(secret, StringComparison.OrdinalIgnoreCase)));
        return isSecret && value.Length > 0 ? Mask : value.ReplaceLineEndings(" ");
    }
}
