using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Configuration;

/// <summary>
/// The newest valid configuration. A wrong configuration stops the start. While the gateway runs, a wrong configuration
/// is logged, a line for each error, and the previous one stays in force. (The framework's options monitor would throw
/// at each read instead.) A change is all or nothing: parts of the gateway prepare for it before it is in force, and if
/// one of them fails, the previous configuration stays in force in all of them.
/// </summary>
/// <typeparam name="T">The whole configuration, in the shape of <c>appsettings.json</c>.</typeparam>
internal sealed partial class LiveConfiguration<T> : IDisposable
    where T : class, ICheckedOptions, new()
{
    private readonly IConfiguration _configuration;
    private readonly ILogger<LiveConfiguration<T>> _logger;
    private readonly IDisposable _subscription;
    private readonly Lock _reloading = new();
    private readonly HashSet<FileConfigurationProvider> _unreadable = [];
    private volatile T _current;

    /// <exception cref="OptionsValidationException">The configuration is wrong.</exception>
    public LiveConfiguration(IConfiguration configuration, ILogger<LiveConfiguration<T>> logger)
    {
        _configuration = configuration;
        _logger = logger;
        _current = Read(configuration);
        WatchFiles();
        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
    }

    public T Current => _current;

    /// <summary>
    /// Raised before a change, one change at a time. A handler prepares for the new configuration without side effects,
    /// and returns an action that puts it in force, which must not throw. A handler that throws stops the change.
    /// </summary>
    public event Func<T, Action>? Changing;

    /// <summary>
    /// Raised after a change, one change at a time. An exception of a handler is logged, and the others still run.
    /// </summary>
    public event Action<T>? Changed;

    public void Dispose() => _subscription.Dispose();

    /// <exception cref="OptionsValidationException">The configuration is wrong.</exception>
    public static T Read(IConfiguration configuration)
    {
        var errors = new ConfigurationErrors();
        var options = StrictBinding.Bind<T>(configuration, errors);
        options.Check(errors);
        errors.ThrowIfAny<T>();
        return options;
    }

    // The provider of a file that becomes unreadable drops all its values, and the rest may be a valid configuration.
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
                Apply(Read(_configuration));
            }
            catch (OptionsValidationException e)
            {
                foreach (var line in e.Failures) Log.Refused(_logger, line);
            }
            catch (InvalidOperationException e)
            {
                // The binder refused settings that it accepts one by one.
                Log.Refused(_logger, e.GetType().Name);
            }
            catch (Exception e)
            {
                // Log no message: it may hold a value, which may be a secret.
                Log.Unread(_logger, e.GetType().Name, e.StackTrace);
            }
        }
    }

    private void Apply(T options)
    {
        List<Action> prepared = [];
        try
        {
            foreach (var prepare in Delegate.EnumerateInvocationList(Changing)) prepared.Add(prepare(options));
        }
        catch (Exception e)
        {
            Log.Broken(_logger, e);
            return;
        }
        _current = options;
        foreach (var putInForce in prepared) Guard(putInForce);
        foreach (var changed in Delegate.EnumerateInvocationList(Changed)) Guard(() => changed(options));
        Log.Reloaded(_logger);
    }

    // Run every part: a part that fails must not keep the others at the previous configuration.
    private void Guard(Action part)
    {
        try
        {
            part();
        }
        catch (Exception e)
        {
            Log.PartBroken(_logger, e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Configuration reloaded")]
        public static partial void Reloaded(ILogger logger);

        [LoggerMessage(LogLevel.Error, "New configuration refused, the previous one stays in force: {Error}")]
        public static partial void Refused(ILogger logger, string error);

        [LoggerMessage(LogLevel.Error,
            "New configuration could not be read, the previous one stays in force: {Problem} {Stack}")]
        public static partial void Unread(ILogger logger, string problem, string? stack);

        [LoggerMessage(LogLevel.Error,
            "A defect of the gateway stopped the new configuration, the previous one stays in force")]
        public static partial void Broken(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Error,
            "A defect of the gateway: one part did not apply the new configuration, which is in force")]
        public static partial void PartBroken(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Error,
            "{File} cannot be read, so the previous configuration stays in force: {Problem}")]
        public static partial void Unreadable(ILogger logger, string? file, string problem);
    }
}
