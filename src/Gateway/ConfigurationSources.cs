using Gateway.Configuration;
using Microsoft.Extensions.Configuration.Json;

namespace Gateway;

/// <summary>The sources of the configuration, in their order of precedence.</summary>
internal static class ConfigurationSources
{
    /// <summary>The environment variable that names another directory than <see cref="Secrets"/>.</summary>
    public const string SecretsVariable = "GATEWAY_SECRETS";

    private const string Secrets = "/run/secrets";

    /// <summary>
    /// Creates a builder that reads configuration beside the executable, regardless of the working directory.
    /// </summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">A file cannot be read.</exception>
    public static WebApplicationBuilder CreateBuilder(string[] args, Dictionary<string, string?> overrides)
    {
        WebApplicationBuilder builder;
        try
        {
            // The slim builder leaves out IIS, HTTP/3 and event logs. The gateway itself watches the files.
            builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
            {
                Args = ["--hostBuilder:reloadConfigOnChange=false", .. args],
                ContentRootPath = AppContext.BaseDirectory,
            });
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            // Report every error of the configuration and not only this file.
            LiveConfiguration<GatewayOptions>.Read(Open(args, overrides));
            throw;
        }
        var sources = builder.Configuration.Sources;
        for (var i = 0; i < sources.Count; i++)
        {
            if (sources[i] is JsonConfigurationSource { Path: { } path } json
                && json.FileProvider?.GetFileInfo(path).PhysicalPath is { } file)
            {
                sources[i] = new JsonFileSource(file);
            }
        }
        AddLast(builder.Configuration, overrides);
        return builder;
    }

    /// <summary>Opens the same configuration without a builder, also if a file cannot be read.</summary>
    public static IConfigurationRoot Open(string[] args, Dictionary<string, string?> overrides)
    {
        var host = new ConfigurationBuilder()
            .AddEnvironmentVariables("ASPNETCORE_").AddEnvironmentVariables("DOTNET_").AddCommandLine(args).Build();
        var environment = host[HostDefaults.EnvironmentKey] ?? Environments.Production;
        var all = new ConfigurationBuilder()
            .AddEnvironmentVariables("ASPNETCORE_").AddEnvironmentVariables("DOTNET_")
            .Add(new JsonFileSource(Path.Combine(AppContext.BaseDirectory, "appsettings.json")))
            .Add(new JsonFileSource(Path.Combine(AppContext.BaseDirectory, $"appsettings.{environment}.json")))
            .AddEnvironmentVariables()
            .AddCommandLine(args);
        AddLast(all, overrides);
        return all.Build();
    }

    private static void AddLast(IConfigurationBuilder configuration, Dictionary<string, string?> overrides)
    {
        var secrets = Environment.GetEnvironmentVariable(SecretsVariable);
        configuration.Add(new KeyPerFileSource(string.IsNullOrEmpty(secrets) ? Secrets : Path.GetFullPath(secrets)));
        configuration.AddInMemoryCollection(overrides);
        // This setting would make the framework trust every proxy. The gateway trusts only configured ones.
        configuration.AddInMemoryCollection([new("FORWARDEDHEADERS_ENABLED", "false")]);
    }
}
