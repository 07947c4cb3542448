namespace Gateway.Configuration;

/// <summary>Whether the newest configuration is in force.</summary>
internal interface IConfigurationState
{
    /// <summary>The errors of the newest configuration, a line for each. Empty: it is in force.</summary>
    IReadOnlyList<string> Errors { get; }

    /// <summary>When a configuration was last put in force.</summary>
    DateTimeOffset AppliedAt { get; }

    /// <summary>The last configuration that was refused; null if none was since the start.</summary>
    ConfigurationRefusal? LastRefusal { get; }

    /// <summary>The keys that have changed since the start, and count only at a start.</summary>
    IReadOnlyList<string> NeedRestart { get; }

    /// <summary>Where settings come from, in the order of precedence: a later source replaces an earlier one.</summary>
    IReadOnlyList<ConfigurationSource> Sources { get; }

    /// <summary>The settings in force, with secrets masked.</summary>
    IReadOnlyList<Setting> InForce { get; }
}

/// <summary>A configuration that was refused.</summary>
/// <param name="At">When it was refused.</param>
/// <param name="Until">When a configuration was put in force again; null: not yet.</param>
/// <param name="Reasons">The errors, a line for each. A line contains no secret.</param>
internal sealed record ConfigurationRefusal(DateTimeOffset At, DateTimeOffset? Until, IReadOnlyList<string> Reasons);

/// <summary>A source of settings.</summary>
/// <param name="Name">A file, a directory, <c>environment</c> or <c>command line</c>.</param>
/// <param name="Files">The files in force; null if the source is not on the disk.</param>
internal sealed record ConfigurationSource(string Name, IReadOnlyList<string>? Files);
