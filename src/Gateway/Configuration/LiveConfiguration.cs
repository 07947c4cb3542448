using Microsoft.Extensions.Primitives;

namespace Gateway.Configuration;

/// <summary>
/// The configuration in force: the newest one that was found valid. A wrong one stops the start; while running it is
/// logged, a line for each mistake, and the one before stays.
/// </summary>
internal sealed partial class LiveConfiguration : IDisposable
{
    private readonly IConfiguration _configuration;
    private readonly ILogger<LiveConfiguration> _logger;
    private readonly IDisposable _subscription;
    private readonly Lock _reloading = new();
    private readonly HashSet<FileConfigurationProvider> _unreadable = [];
    private volatile GatewayOptions _current;

    /// <exception cref="WrongConfigurationException">The configuration is wrong.</exception>
    public LiveConfiguration(IConfiguration configuration, ILogger<LiveConfiguration> logger)
    {
        _configuration = configuration;
        _logger = logger;
        _current = Read(configuration);
        WatchFiles();
        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
    }

    public GatewayOptions Current => _current;

    /// <summary>Raised after a change, one change at a time.</summary>
    public event Action<GatewayOptions>? Changed;

    public void Dispose() => _subscription.Dispose();

    /// <exception cref="WrongConfigurationException">The configuration is wrong.</exception>
    public static GatewayOptions Read(IConfiguration configuration)
    {
        var mistakes = new Mistakes();
        ConfigurationShape.Check(configuration, typeof(GatewayOptions), mistakes);
        mistakes.ThrowIfAny();

        var options = configuration.Get<GatewayOptions>() ?? new GatewayOptions();
        options.Check(mistakes);
        mistakes.ThrowIfAny();
        return options;
    }

    // A file that cannot be read any more loses all its values, which would be a valid configuration without them.
    private void WatchFiles()
    {
        foreach (var provider in ((IConfigurationRoot)_configuration).Providers.OfType<FileConfigurationProvider>())
        {
            provider.Source.OnLoadException = failure =>
            {
                failure.Ignore = true;
                lock (_reloading) _unreadable.Add(failure.Provider);
                Log.Unreadable(_logger, failure.Provider.Source.Path, failure.Exception.GetBaseException().Message);
            };
        }
    }

    private void Reload()
    {
        lock (_reloading)
        {
            _unreadable.RemoveWhere(provider => provider.GetChildKeys([], null).Any());
            if (_unreadable.Count > 0) return;
            try
            {
                _current = Read(_configuration);
                Changed?.Invoke(_current);
                Log.Reloaded(_logger);
            }
            catch (WrongConfigurationException e)
            {
                foreach (var line in e.Lines) Log.Refused(_logger, line);
            }
            catch (InvalidOperationException e)
            {
                // What the binder refuses beyond the checks.
                Log.Refused(_logger, e.GetType().Name);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Configuration reloaded")]
        public static partial void Reloaded(ILogger logger);

        [LoggerMessage(LogLevel.Error, "New configuration refused, the one before stays in force: {Mistake}")]
        public static partial void Refused(ILogger logger, string mistake);

        [LoggerMessage(LogLevel.Error, "{File} cannot be read, so the configuration before stays in force: {Problem}")]
        public static partial void Unreadable(ILogger logger, string? file, string problem);
    }
}
