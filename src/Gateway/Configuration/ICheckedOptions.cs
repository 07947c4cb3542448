namespace Gateway.Configuration;

/// <summary>A whole configuration, in the shape of <c>appsettings.json</c>.</summary>
internal interface ICheckedOptions
{
    /// <summary>The framework's own sections that matter to the gateway.</summary>
    static virtual IEnumerable<string> FrameworkSections => [];

    /// <summary>Adds an error for each value that is out of range or contradicts another.</summary>
    void Check(ConfigurationErrors errors);

    /// <summary>Adds an error for each wrong setting that is the framework's and not an option.</summary>
    static virtual void CheckFramework(IConfiguration configuration, ConfigurationErrors errors)
    {
    }

    /// <summary>Whether a setting counts only at the start of the process.</summary>
    static virtual bool IsReadAtStart(string key) => false;

    /// <summary>Adds a warning for each setting that is allowed but odd. A warning contains no value.</summary>
    /// <param name="warnings">Receives the warnings.</param>
    /// <param name="now">The time with which the validity of keys is compared.</param>
    /// <param name="memory">The memory that the process may use, in bytes.</param>
    void Warn(ConfigurationErrors warnings, DateTimeOffset now, long memory)
    {
    }
}
