namespace Gateway.Configuration;

/// <summary>
/// The settings of a <see cref="DiskSource"/>. Changed or lost files do not change the settings in force: only
/// <see cref="Accept"/> replaces them. <see cref="LiveConfiguration{T}"/> compares the files with the newest content.
/// </summary>
internal sealed class DiskProvider(DiskSource source) : ConfigurationProvider
{
    private DiskContent _inForce = DiskContent.Nothing;
    private Dictionary<string, string?> _newestSettings = [];

    /// <summary>The newest content of the disk, which may be wrong.</summary>
    public DiskContent Newest { get; private set; } = DiskContent.Nothing;

    /// <summary>The errors of the newest content.</summary>
    public IReadOnlyList<string> Errors { get; private set; } = [];

    public string Path => source.Path;

    /// <summary>The files in force.</summary>
    public IReadOnlyList<string> Files => [.. _inForce.Files.Keys.Order(StringComparer.Ordinal)];

    public override void Load()
    {
        Take(Read());
        if (Errors.Count == 0) Accept();
    }

    public DiskContent Read() => source.Read(_inForce);

    /// <summary>Makes a content the newest one. It is not in force yet.</summary>
    public void Take(DiskContent content)
    {
        var errors = new ConfigurationErrors();
        _newestSettings = source.Parse(content, errors);
        (Newest, Errors) = (content, [.. content.Errors, .. errors.Lines]);
    }

    /// <summary>The newest settings, or those in force if the newest content is wrong.</summary>
    public IEnumerable<KeyValuePair<string, string?>> Candidate => Errors.Count == 0 ? _newestSettings : Data;

    /// <summary>Puts the newest settings in force, without notice.</summary>
    public void Accept() => (_inForce, Data) = (Newest, _newestSettings);

    /// <summary>Gives notice of changed settings.</summary>
    public void Raise() => OnReload();
}
