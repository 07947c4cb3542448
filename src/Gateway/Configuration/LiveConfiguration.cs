using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Gateway.Configuration;

/// <summary>
/// The newest valid configuration. A wrong configuration stops the start. While the gateway runs, a wrong configuration
/// is logged, a line for each error, at once and each minute, and the previous one stays in force. (The framework's
/// options monitor would throw at each read instead.) A change is all or nothing: parts of the gateway prepare for it
/// before it is in force, and if one of them fails, the previous configuration stays in force in all of them.
/// </summary>
/// <typeparam name="T">The whole configuration, in the shape of <c>appsettings.json</c>.</typeparam>
internal sealed partial class LiveConfiguration<T> : IConfigurationState, IDisposable
    where T : class, ICheckedOptions, new()
{
    // A refused configuration may become right by itself, for example when a file that it names appears.
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1), RetryInterval = TimeSpan.FromSeconds(5);

    // A file that changes all the time does not keep the others back for longer.
    private const int MostUnsettledChecks = 20;

    private readonly IConfiguration _configuration;
    private readonly ILogger<LiveConfiguration<T>> _logger;
    private readonly TimeProvider _clock;
    private readonly IDisposable _subscription;
    private readonly Lock _reloading = new();
    private readonly Dictionary<string, string?> _atStart;
    private DiskContent[] _pending = [];
    private int _unsettledChecks;
    private long _loggedAt, _triedAt;
    private bool _isDefect;
    private volatile T _current;
    private volatile IReadOnlyList<string> _errors = [];
    private long _appliedAt;

    /// <exception cref="OptionsValidationException">The configuration is wrong.</exception>
    public LiveConfiguration(
        IConfiguration configuration, ILogger<LiveConfiguration<T>> logger, TimeProvider? clock = null)
    {
        _configuration = configuration;
        _logger = logger;
        _clock = clock ?? TimeProvider.System;
        _current = Read(configuration);
        _atStart = SettingsAtStart();
        _appliedAt = _clock.GetUtcNow().Ticks;
        Warn();
        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
    }

    public T Current => _current;

    public IReadOnlyList<string> Errors => _errors;

    public DateTimeOffset AppliedAt => new(Interlocked.Read(ref _appliedAt), TimeSpan.Zero);

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
        List<string> unreadable = [.. DiskOf(configuration).SelectMany(provider => provider.Errors)];
        var options = ReadAll(configuration, errors, isComplete: unreadable.Count == 0);
        unreadable.AddRange(errors.Lines);
        return unreadable.Count == 0 ? options
            : throw new OptionsValidationException(Options.DefaultName, typeof(T), unreadable);
    }

    /// <summary>
    /// Applies the configuration on the disk if it has changed, and not since the last call: files may be replaced one
    /// after another. A configuration that keeps changing is applied after <see cref="MostUnsettledChecks"/> calls.
    /// Repeats the errors of a refused configuration each minute.
    /// </summary>
    public void CheckDisk()
    {
        DiskProvider[] disk = [.. DiskOf(_configuration)];
        DiskContent[] contents = [.. disk.Select(provider => provider.Read())];
        lock (_reloading)
        {
            EndDelay();
            var isNew = !contents.SequenceEqual(disk.Select(provider => provider.Newest));
            if (isNew && !contents.SequenceEqual(_pending) && ++_unsettledChecks < MostUnsettledChecks)
            {
                _pending = contents;
                return;
            }
            (_pending, _unsettledChecks) = ([], 0);
            if (isNew) Take(disk, contents);
            else if (_errors.Count > 0) Retry(disk);
        }
    }

    private void Take(DiskProvider[] disk, DiskContent[] contents)
    {
        foreach (var (provider, content) in disk.Zip(contents))
        {
            if (!content.Equals(provider.Newest)) provider.Take(content);
        }
        Apply(disk, isRetry: false);
    }

    private void Retry(DiskProvider[] disk)
    {
        var isDue = !_isDefect && _clock.GetElapsedTime(_triedAt) >= RetryInterval;
        if (isDue && disk.Length > 0) Apply(disk, isRetry: true);
        Repeat();
    }

    private void Apply(DiskProvider[] disk, bool isRetry)
    {
        _triedAt = _clock.GetTimestamp();
        List<string> lines = [.. disk.SelectMany(provider => provider.Errors)];
        var candidate = new ConfigurationBuilder().AddInMemoryCollection(Candidate()).Build();
        var errors = new ConfigurationErrors();
        Try(() => ReadAll(candidate, errors, isComplete: true), lines);
        lines.AddRange(errors.Lines);
        if (lines.Count > 0)
        {
            if (!isRetry || !lines.SequenceEqual(_errors)) Refuse(lines);
            return;
        }
        foreach (var provider in disk) provider.Accept();
        // One notice reaches all readers of the configuration, and this object.
        disk[0].Raise();
    }

    // The newest settings of the disk, and of files that cannot be read those in force, in their order of precedence.
    private Dictionary<string, string?> Candidate()
    {
        var all = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var provider in ((IConfigurationRoot)_configuration).Providers)
        {
            foreach (var (key, value) in provider is DiskProvider disk ? disk.Candidate : SettingsOf(provider))
            {
                all[key] = value;
            }
        }
        return all;
    }

    private static IEnumerable<KeyValuePair<string, string?>> SettingsOf(
        IConfigurationProvider provider, string? path = null)
    {
        foreach (var name in provider.GetChildKeys([], path).Distinct(StringComparer.OrdinalIgnoreCase))
        {
            var key = path is null ? name : ConfigurationPath.Combine(path, name);
            if (provider.TryGet(key, out var value)) yield return new(key, value);
            foreach (var setting in SettingsOf(provider, key)) yield return setting;
        }
    }

    private static IEnumerable<DiskProvider> DiskOf(IConfiguration configuration) =>
        configuration is IConfigurationRoot root ? root.Providers.OfType<DiskProvider>() : [];

    /// <param name="configuration">The settings.</param>
    /// <param name="errors">Receives the errors of the settings.</param>
    /// <param name="isComplete">
    /// False if a file could not be read. Then an error counts only if its key is set.
    /// </param>
    private static T ReadAll(IConfiguration configuration, ConfigurationErrors errors, bool isComplete)
    {
        var options = StrictBinding.Bind<T>(configuration, errors);
        var wrong = new ConfigurationErrors();
        options.Check(wrong);
        T.CheckFramework(configuration, wrong);
        errors.Add(wrong, key => isComplete || configuration[key] is not null);
        return options;
    }

    private void Reload()
    {
        lock (_reloading)
        {
            List<string> lines = [];
            _isDefect = false;
            Try(() => Apply(Read(_configuration), lines), lines);
            if (lines.Count > 0)
            {
                Refuse(lines);
                return;
            }
            EndRefusal();
            Interlocked.Exchange(ref _appliedAt, _clock.GetUtcNow().Ticks);
            // Last, so that a reader who sees no errors sees the new time.
            _errors = [];
            Log.Reloaded(_logger);
            Warn();
        }
    }

    private void Try(Action read, List<string> lines)
    {
        try
        {
            read();
        }
        catch (OptionsValidationException e)
        {
            lines.AddRange(e.Failures);
        }
        catch (InvalidOperationException e)
        {
            // The binder refused settings that it accepts one by one.
            lines.Add(e.GetType().Name);
        }
        catch (Exception e)
        {
            // Log no message: it may hold a value, which may be a secret.
            Log.Unread(_logger, e.GetType().Name, e.StackTrace);
            lines.Add(e.GetType().Name);
        }
    }

    private void Apply(T options, List<string> lines)
    {
        List<Action> prepared = [];
        try
        {
            foreach (var prepare in Delegate.EnumerateInvocationList(Changing)) prepared.Add(prepare(options));
        }
        catch (Exception e)
        {
            _isDefect = true;
            Log.Broken(_logger, e);
            lines.Add("a defect of the gateway");
            return;
        }
        _current = options;
        foreach (var putInForce in prepared) Guard(putInForce);
        foreach (var changed in Delegate.EnumerateInvocationList(Changed)) Guard(() => changed(options));
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

    private void Refuse(IReadOnlyList<string> lines)
    {
        NoteRefusal(lines);
        _errors = lines;
        _loggedAt = _clock.GetTimestamp();
        foreach (var line in lines) Log.Refused(_logger, line);
    }

    private void Repeat()
    {
        if (_errors.Count > 0 && _clock.GetElapsedTime(_loggedAt) >= LogInterval) Refuse(_errors);
    }
}
