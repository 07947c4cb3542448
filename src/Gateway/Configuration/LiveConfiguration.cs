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
    private volatile GatewayOptions _current;

    /// <exception cref="WrongConfigurationException">The configuration is wrong.</exception>
    public LiveConfiguration(IConfiguration configuration, ILogger<LiveConfiguration> logger)
    {
        _configuration = configuration;
        _logger = logger;
        _current = Read(configuration);
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

    private void Reload()
    {
        lock (_reloading)
        {
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
    }
}
