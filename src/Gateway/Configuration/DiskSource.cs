namespace Gateway.Configuration;

/// <summary>Configuration on the disk: a JSON file, or a directory with a file for each key.</summary>
internal abstract class DiskSource(string path) : IConfigurationSource
{
    /// <summary>The full path of the file or directory.</summary>
    public string Path => path;

    public IConfigurationProvider Build(IConfigurationBuilder builder) => new DiskProvider(this);

    /// <summary>
    /// Reads what is on the disk now. A file or directory that does not exist is empty, unless it was read before.
    /// </summary>
    /// <param name="inForce">The content in force.</param>
    public abstract DiskContent Read(DiskContent inForce);

    /// <summary>Returns the settings of a content, and adds an error for each file or key that is wrong.</summary>
    public abstract Dictionary<string, string?> Parse(DiskContent content, ConfigurationErrors errors);

    /// <summary>Reads a file. If that fails, adds an error, which never holds a part of the file.</summary>
    protected static void ReadFile(string file, Dictionary<string, byte[]> files, ConfigurationErrors errors)
    {
        try
        {
            files[file] = File.ReadAllBytes(file);
        }
        catch (Exception e)
        {
            errors.Add(file, Directory.Exists(file) ? "is a directory, and no file"
                : e is FileNotFoundException or DirectoryNotFoundException ? "the file is gone"
                : $"the file cannot be read ({e.GetType().Name})");
        }
    }
}

/// <summary>The files of a source by their paths, and the errors of reading them.</summary>
internal sealed record DiskContent(IReadOnlyDictionary<string, byte[]> Files, IReadOnlyList<string> Errors)
{
    public static readonly DiskContent Nothing = new(new Dictionary<string, byte[]>(), []);

    public bool Equals(DiskContent? other) => other is not null
        && Errors.SequenceEqual(other.Errors) && Files.Count == other.Files.Count
        && Files.All(file => other.Files.TryGetValue(file.Key, out var bytes)
            && bytes.AsSpan().SequenceEqual(file.Value));

    public override int GetHashCode() => HashCode.Combine(Files.Count, Errors.Count);
}
