using System.Collections;
using System.Globalization;
using System.Reflection;

namespace Gateway.Configuration;

/// <summary>
/// Holds a configuration against the options type it is to be bound to, before binding: the binder ignores a
/// misspelt key and stops at the first value that it cannot convert.
/// </summary>
internal static class ConfigurationShape
{
    public static void Check(IConfiguration configuration, Type options, ConfigurationErrors errors)
    {
        // The root also holds environment variables and the framework's own sections.
        foreach (var property in options.GetProperties())
        {
            // Other parts of an application may have connection strings of their own.
            if (property.Name == "ConnectionStrings") continue;
            var section = configuration.GetSection(property.Name);
            // What is not there looks like a null, too.
            if (IsScalar(property.PropertyType) && configuration.GetChildren().Any(child => child.Path == section.Path)) CheckNull(section, errors);
            CheckSection(section, property.PropertyType, errors);
        }
    }

    private static void CheckSection(IConfigurationSection section, Type type, ConfigurationErrors errors)
    {
        var children = section.GetChildren().ToList();
        if (IsScalar(type))
        {
            if (children.Count > 0) errors.Add(section.Path, "is one value, not a section");
            else CheckValue(section, type, errors);
        }
        else if (!string.IsNullOrEmpty(section.Value))
        {
            errors.Add(section.Path, "is a section, not one value");
        }
        else if (ElementOf(type) is { } element)
        {
            foreach (var child in children)
            {
                if (IsScalar(element)) CheckNull(child, errors);
                CheckSection(child, element, errors);
            }
        }
        else
        {
            foreach (var child in children) CheckProperty(child, type, errors);
        }
    }

    private static void CheckProperty(IConfigurationSection section, Type owner, ConfigurationErrors errors)
    {
        const BindingFlags AnyCase = BindingFlags.Instance | BindingFlags.Public | BindingFlags.IgnoreCase;
        if (owner.GetProperty(section.Key, AnyCase) is { CanWrite: true } property)
        {
            var mayBeNull = new NullabilityInfoContext().Create(property).WriteState == NullabilityState.Nullable;
            if (IsScalar(property.PropertyType) && !mayBeNull) CheckNull(section, errors);
            CheckSection(section, property.PropertyType, errors);
            return;
        }
        var known = string.Join(", ", owner.GetProperties().Where(p => p.CanWrite).Select(p => p.Name));
        errors.Add(section.Path, $"is not an option; there are {known}");
    }

    // Only a file can say so, and the binder would write it over the default.
    private static void CheckNull(IConfigurationSection section, ConfigurationErrors errors)
    {
        if (section.Value is null && !section.GetChildren().Any()) errors.Add(section.Path, "is null; give a value, or leave it out");
    }

    private static void CheckValue(IConfigurationSection section, Type type, ConfigurationErrors errors)
    {
        if (type == typeof(string) || section.Value is null) return;
        var target = Nullable.GetUnderlyingType(type) ?? type;
        if (section.Value.Length == 0)
        {
            errors.Add(section.Path, $"is empty, not {Describe(target)}");
            return;
        }
        errors.Unless(IsOne(section.Value, target), section.Path, $"'{section.Value}' is not {Describe(target)}");
    }

    // As the binder reads them.
    private static bool IsOne(string value, Type type) =>
        type == typeof(TimeSpan) ? TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out _)
        : type == typeof(DateTimeOffset) ? DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, out _)
        : type == typeof(bool) ? bool.TryParse(value, out _)
        : type == typeof(Uri) ? Uri.TryCreate(value, UriKind.RelativeOrAbsolute, out _)
        : type == typeof(double) ? double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
        : type == typeof(long) ? long.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out _)
        : type == typeof(int) ? int.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out _)
        : type.IsEnum && Enum.TryParse(type, value, ignoreCase: true, out _);

    private static bool IsScalar(Type type) =>
        type == typeof(string) || type.IsValueType || type == typeof(Uri);

    private static Type? ElementOf(Type type) =>
        typeof(IEnumerable).IsAssignableFrom(type) ? type.GetGenericArguments()[^1] : null;

    private static string Describe(Type type) =>
        type == typeof(TimeSpan) ? "a duration ([days.]hours:minutes:seconds)"
        : type == typeof(DateTimeOffset) ? "a date and time (RFC 3339)"
        : type == typeof(bool) ? "true or false"
        : type == typeof(Uri) ? "an address"
        : type == typeof(double) ? "a number"
        : type.IsEnum ? string.Join(" or ", Enum.GetNames(type))
        : "a whole number";
}
