using Microsoft.Extensions.Options;

namespace Gateway.Configuration;

/// <summary>
/// The options of one feature, taken from the configuration in force. A feature depends on
/// <see cref="IOptionsMonitor{TOptions}"/>, or on this type if it prepares for a change before it is in force. The
/// options of all features change at the same moment.
/// </summary>
internal abstract class LiveOptions<T> : IOptionsMonitor<T>
{
    /// <summary>
    /// Raised before a change; <see cref="LiveConfiguration{T}.Changing"/> says what a handler may do.
    /// </summary>
    public abstract event Func<T, Action>? Changing;

    public abstract T CurrentValue { get; }

    public T Get(string? name) => CurrentValue;

    public abstract IDisposable? OnChange(Action<T, string?> listener);
}

/// <param name="live">The whole configuration.</param>
/// <param name="select">Returns the options of the feature; called once for each configuration.</param>
internal sealed class LiveOptions<TAll, T>(LiveConfiguration<TAll> live, Func<TAll, T> select) : LiveOptions<T>
    where TAll : class, ICheckedOptions, new()
{
    private volatile Selected _selected = new(live.Current, select(live.Current));
    private readonly Dictionary<Func<T, Action>, Func<TAll, Action>> _preparing = [];

    public override event Func<T, Action>? Changing
    {
        add => live.Changing += _preparing[value!] = all => value!(select(all));
        remove
        {
            if (_preparing.Remove(value!, out var prepare)) live.Changing -= prepare;
        }
    }

    public override T CurrentValue
    {
        get
        {
            var (all, selected) = (live.Current, _selected);
            if (selected.From != all) _selected = selected = new(all, select(all));
            return selected.Options;
        }
    }

    public override IDisposable OnChange(Action<T, string?> listener)
    {
        Action<TAll> changed = _ => listener(CurrentValue, Options.DefaultName);
        live.Changed += changed;
        return new Subscription(() => live.Changed -= changed);
    }

    private sealed record Selected(TAll From, T Options);

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}

internal static class LiveOptionsServices
{
    /// <summary>Adds the whole configuration, and the watch of its files.</summary>
    public static void AddLiveConfiguration<TAll>(this IServiceCollection services)
        where TAll : class, ICheckedOptions, new()
    {
        services.AddSingleton<LiveConfiguration<TAll>>();
        services.AddSingleton<IConfigurationState>(all => all.GetRequiredService<LiveConfiguration<TAll>>());
        services.AddHostedService<ConfigurationWatch<TAll>>();
    }

    /// <summary>Adds the options of a feature.</summary>
    public static void AddLiveOptions<TAll, T>(this IServiceCollection services, Func<TAll, T> select)
        where TAll : class, ICheckedOptions, new()
        where T : class
    {
        services.AddSingleton<LiveOptions<T>>(
            all => new LiveOptions<TAll, T>(all.GetRequiredService<LiveConfiguration<TAll>>(), select));
        services.AddSingleton<IOptionsMonitor<T>>(all => all.GetRequiredService<LiveOptions<T>>());
    }
}
