namespace Gateway.Configuration;

/// <summary>What operators are told about the configuration.</summary>
internal sealed partial class LiveConfiguration<T>
{
    private volatile ConfigurationRefusal? _lastRefusal;

    public ConfigurationRefusal? LastRefusal => _lastRefusal;

    public IReadOnlyList<string> NeedRestart
    {
        get
        {
            var now = SettingsAtStart();
            return
            [
                .. now.Keys.Union(_atStart.Keys, StringComparer.OrdinalIgnoreCase)
                    .Where(key => now.GetValueOrDefault(key) != _atStart.GetValueOrDefault(key)),
            ];
        }
    }

    public IReadOnlyList<ConfigurationSource> Sources =>
    [
        .. from provider in ((IConfigurationRoot)_configuration).Providers
           let name = Settings.NameOf(provider)
           where name is not null
           select new ConfigurationSource(name, provider is DiskProvider disk ? disk.Files : null),
    ];

    public IReadOnlyList<Setting> InForce => [.. Settings.Of<T>((IConfigurationRoot)_configuration)];

    // The errors are repeated each minute, but the refusal began with the first.
    private void NoteRefusal(IReadOnlyList<string> lines)
    {
        if (_errors.Count == 0 || !lines.SequenceEqual(_errors)) _lastRefusal = new(_clock.GetUtcNow(), null, lines);
    }

    private void EndRefusal()
    {
        if (_lastRefusal is { Until: null } refusal) _lastRefusal = refusal with { Until = _clock.GetUtcNow() };
    }
}
