namespace Gateway.Configuration;

/// <summary>A whole configuration, in the shape of <c>appsettings.json</c>.</summary>
internal interface ICheckedOptions
{
    /// <summary>Adds an error for each value that is out of range or contradicts another.</summary>
    void Check(ConfigurationErrors errors);
}
