using System.Text;

namespace Gateway.Configuration;

/// <summary>
/// An optional directory whose files are named like environment variables and hold one value each. Subdirectories and
/// names that begin with a dot are left out: Kubernetes keeps the files of a volume in such directories, and links to
/// them. As in the framework's own source, a name that begins with <c>ignore.</c> is left out, too.
/// </summary>
internal sealed class KeyPerFileSource(string path) : DiskSource(path)
{
    public override DiskContent Read(DiskContent inForce)
    {
        var (files, errors) = (new Dictionary<string, byte[]>(), new ConfigurationErrors());
        foreach (var entry in Entries(errors))
        {
            if (Directory.Exists(entry) && !inForce.Files.ContainsKey(entry)) continue;
            ReadFile(entry, files, errors);
        }
        // A volume that is not mounted any more leaves no directory or an empty one.
        if (files.Count == 0 && inForce.Files.Count > 0 && errors.Lines.Count == 0)
        {
            errors.Add(Path, "all files of the directory are gone");
        }
        return new DiskContent(files, errors.Lines);
    }

    public override Dictionary<string, string?> Parse(DiskContent content, ConfigurationErrors errors)
    {
        var settings = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        var fileOf = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (file, bytes) in content.Files.OrderBy(file => file.Key, StringComparer.Ordinal))
        {
            var key = System.IO.Path.GetFileName(file)
                .Replace("__", ConfigurationPath.KeyDelimiter, StringComparison.Ordinal);
            if (fileOf.TryAdd(key, file)) settings[key] = Text(bytes);
            else errors.Add(file, $"has the same key as {fileOf[key]}: {key}");
        }
        return settings;
    }

    private string[] Entries(ConfigurationErrors errors)
    {
        try
        {
            return !Directory.Exists(Path) ? []
                : [.. Directory.EnumerateFileSystemEntries(Path).Where(IsSetting)];
        }
        catch (Exception e)
        {
            errors.Add(Path, $"the directory cannot be read ({e.GetType().Name})");
            return [];
        }
    }

    private static bool IsSetting(string entry) =>
        System.IO.Path.GetFileName(entry.AsSpan()) is var name && !name.StartsWith('.')
        && !name.StartsWith("ignore.", StringComparison.OrdinalIgnoreCase);

    // Editors end a file with a line break.
    private static string Text(byte[] bytes)
    {
        using var reader = new StreamReader(new MemoryStream(bytes), Encoding.UTF8);
        var text = reader.ReadToEnd();
        return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2]
            : text.EndsWith('\n') ? text[..^1] : text;
    }
}
