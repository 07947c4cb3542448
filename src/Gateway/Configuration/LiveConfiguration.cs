using Microsoft.Extensions.Primitives;

namespace Gateway.Configuration;

/// <summary>
/// The configuration in force: the newest one that was found valid. A wrong one stops the start; while running it is
/// logged, a line for each mistake, and the one before stays. A change is all or nothing: parts that have to make
/// something of it make that first, and where one of them fails the one before stays in force in all of them.
/// </summary>
/// <typeparam name="T">The whole configuration, in the shape of <c>appsettings.json</c>.</typeparam>
internal sealed partial class LiveConfiguration<T> : IDisposable where T : class, ICheckedOptions<T>
{
    private readonly IConfiguration _configuration;
    private readonly ILogger<LiveConfiguration<T>> _logger;
    private readonly IDisposable _subscription;
    private readonly Lock _reloading = new();
    private readonly HashSet<FileConfigurationProvider> _unreadable = [];
    private volatile T _current;

    /// <exception cref="WrongConfigurationException">The configuration is wrong.</exception>
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
    /// Raised before a change, one change at a time. A handler prepares for the new configuration, without effect on
    /// anything, and returns what puts it in force, which must not throw. A handler that throws stops the change.
    /// </summary>
    public event Func<T, Action>? Changing;

    /// <summary>
    /// Raised after a change, one change at a time. A handler that throws is logged, and stops nothing.
    /// </summary>
    public event Action<T>? Changed;

    public void Dispose() => _subscription.Dispose();

    /// <exception cref="WrongConfigurationException">The configuration is wrong.</exception>
    public static T Read(IConfiguration configuration)
    {
        var errors = new ConfigurationErrors();
        ConfigurationShape.Check(configuration, typeof(T), errors);
        errors.ThrowIfAny();

        var options = T.Bind(configuration);
        options.Check(errors);
        errors.ThrowIfAny();
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
                Apply(Read(_configuration));
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
            catch (Exception e)
            {
                // A message might hold a value, which may be a secret; a stack does not.
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

    // One part that fails does not keep the others at the configuration before.
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

        [LoggerMessage(LogLevel.Error, "New configuration refused, the one before stays in force: {Mistake}")]
        public static partial void Refused(ILogger logger, string mistake);

        [LoggerMessage(LogLevel.Error,
            "New configuration could not be read, the one before stays in force: {Problem} {Stack}")]
        public static partial void Unread(ILogger logger, string problem, string? stack);

        [LoggerMessage(LogLevel.Error,
            "A defect of the gateway stopped the new configuration, the one before stays in force")]
        public static partial void Broken(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Error,
            "A defect of the gateway: a part of it did not take the new configuration, which is in force")]
        public static partial void PartBroken(ILogger logger, Exception defect);

        [LoggerMessage(LogLevel.Error, "{File} cannot be read, so the configuration before stays in force: {Problem}")]
        public static partial void Unreadable(ILogger logger, string? file, string problem);
    }
}
