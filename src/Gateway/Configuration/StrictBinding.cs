using System.Reflection;

namespace Gateway.Configuration;

/// <summary>
/// Binds a configuration with <see cref="BinderOptions.ErrorOnUnknownConfiguration"/>. The binder stops at the first
/// error and does not always name its key, so after a failure each setting is bound alone and each error is reported.
/// </summary>
internal static class StrictBinding
{
    private const string NoOption = "is not an option that takes a value";

    /// <summary>Binds all valid settings, and adds an error for each of the others.</summary>
    public static T Bind<T>(IConfiguration configuration, ConfigurationErrors errors) where T : class, new()
    {
        // The root also holds environment variables and the framework's own sections.
        var settings = typeof(T).GetProperties()
            .SelectMany(property => SettingsIn(configuration.GetSection(property.Name)))
            // The binder would write a null over a default. An empty JSON object is a null, too, and is a section.
            .Where(setting => setting.Value is not null || !TakesValue<T>(setting.Key))
            .ToList();
        foreach (var name in settings.GroupBy(setting => NameWithColons(typeof(T), setting.Key)).ToList())
        {
            if (name.Key is not { } wrong) continue;
            errors.Add(wrong.Path, $"has a colon in its name; {wrong.Hint}");
            settings.RemoveAll(name.Contains);
        }
        foreach (var setting in settings.Where(setting => IsBelowText(typeof(T), setting.Key)).ToList())
        {
            errors.Add(setting.Key, NoOption);
            settings.Remove(setting);
        }
        if (ErrorOf<T>(settings, out var options) is null) return options;
        foreach (var setting in settings.ToList())
        {
            if (ErrorOf<T>([setting], out _) is not { } error) continue;
            errors.Add(setting.Key, error.InnerException is null
                ? NoOption + SuggestionFor(typeof(T), setting.Key) : WithoutValue(error.Message));
            settings.Remove(setting);
        }
        if (ErrorOf<T>(settings, out options) is { } other) throw other;
        return options;
    }

    // The binder's message holds the value, which may be a secret if files were mixed up. It ends with the type.
    private static string WithoutValue(string message)
    {
        const string Type = " to type '";
        var at = message.LastIndexOf(Type, StringComparison.Ordinal);
        return at < 0 ? "cannot be converted"
            : $"cannot be converted to {message[(at + Type.Length)..].TrimEnd('\'', '.').Split('.')[^1]}";
    }

    private static IEnumerable<KeyValuePair<string, string?>> SettingsIn(IConfigurationSection section)
    {
        var children = section.GetChildren().ToList();
        if (children.Count == 0 || section.Value is not null) yield return new(section.Path, section.Value);
        foreach (var setting in children.SelectMany(SettingsIn)) yield return setting;
    }

    // Below a named list stand the name and a number. Anything else is a part of a name with a colon.
    private static (string Path, string Hint)? NameWithColons(Type type, string key)
    {
        var names = key.Split(ConfigurationPath.KeyDelimiter);
        for (var i = 0; i < names.Length; i++)
        {
            if (type.IsGenericType)
            {
                type = type.GetGenericArguments()[^1];
                continue;
            }
            var option = Array.Find(
                type.GetProperties(), one => one.Name.Equals(names[i], StringComparison.OrdinalIgnoreCase));
            if (option is null) return null;
            if (option.GetCustomAttribute<NameWithoutColonsAttribute>() is { } marked)
            {
                var isNumbered = names[^1].All(char.IsAsciiDigit);
                if (names.Length - i <= (isNumbered ? 3 : 2)) return null;
                return (string.Join(ConfigurationPath.KeyDelimiter, isNumbered ? names[..^1] : names), marked.Hint);
            }
            type = option.PropertyType;
        }
        return null;
    }

    // The binder ignores settings below an option that is text.
    private static bool IsBelowText(Type type, string key)
    {
        foreach (var name in key.Split(ConfigurationPath.KeyDelimiter))
        {
            if (type == typeof(string) || type == typeof(Uri)) return true;
            var next = type.IsGenericType ? type.GetGenericArguments()[^1]
                : Array.Find(type.GetProperties(), one => one.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                    ?.PropertyType;
            if (next is null) return false;
            type = next;
        }
        return false;
    }

    // The option with the most similar name, if a name in the key is none of an option.
    private static string SuggestionFor(Type type, string key)
    {
        const int MostDifferences = 2;
        foreach (var name in key.Split(ConfigurationPath.KeyDelimiter))
        {
            if (type.IsGenericType)
            {
                type = type.GetGenericArguments()[^1];
                continue;
            }
            var options = type.GetProperties().Where(property => property.CanWrite).ToList();
            if (options.Find(one => one.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } option)
            {
                type = option.PropertyType;
                continue;
            }
            var similar = options.MinBy(one => Differences(one.Name, name));
            return similar is null || Differences(similar.Name, name) > MostDifferences
                ? "" : $"; did you mean {similar.Name}?";
        }
        return "";
    }

    // The number of characters to insert, remove or replace (Levenshtein distance).
    private static int Differences(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 0; i < one.Length; i++)
        {
            var diagonal = row[0]++;
            for (var j = 0; j < other.Length; j++)
            {
                var isSame = char.ToUpperInvariant(one[i]) == char.ToUpperInvariant(other[j]);
                var least = Math.Min(Math.Min(row[j], row[j + 1]) + 1, diagonal + (isSame ? 0 : 1));
                (diagonal, row[j + 1]) = (row[j + 1], least);
            }
        }
        return row[^1];
    }

    // A value that cannot be converted has the converter's exception as the cause; a value for a section has none.
    private static bool TakesValue<T>(string key) where T : class, new() =>
        ErrorOf<T>([new(key, "?")], out _) is null or { InnerException: not null };

    /// <returns>The innermost error of the binder; null: there is none.</returns>
    private static InvalidOperationException? ErrorOf<T>(
        IEnumerable<KeyValuePair<string, string?>> settings, out T options)
        where T : class, new()
    {
        options = new T();
        try
        {
            new ConfigurationBuilder().AddInMemoryCollection(settings).Build()
                .Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);
            return null;
        }
        catch (InvalidOperationException e)
        {
            while (e.InnerException is InvalidOperationException inner) e = inner;
            return e;
        }
    }
}
