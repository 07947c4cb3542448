namespace Gateway.Configuration;

/// <summary>A whole configuration, in the shape of <c>appsettings.json</c>.</summary>
/// <typeparam name="T">The type itself.</typeparam>
internal interface ICheckedOptions<T> where T : class, ICheckedOptions<T>
{
    /// <summary>
    /// Reads a configuration whose shape has been checked. Here, so that its code is written by the compiler.
    /// </summary>
    static abstract T Bind(IConfiguration configuration);

    /// <summary>Adds a line for each value that is out of range or contradicts another.</summary>
    void Check(ConfigurationErrors errors);
}
