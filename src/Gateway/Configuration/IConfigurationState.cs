namespace Gateway.Configuration;

/// <summary>Whether the newest configuration is in force.</summary>
internal interface IConfigurationState
{
    /// <summary>The errors of the newest configuration, a line for each. Empty: it is in force.</summary>
    IReadOnlyList<string> Errors { get; }

    /// <summary>When a configuration was last put in force.</summary>
    DateTimeOffset AppliedAt { get; }
}
