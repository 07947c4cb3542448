using System.Globalization;
using Microsoft.Extensions.Options;

namespace Gateway.Configuration;

/// <summary>
/// Collects the errors, or the warnings, of a configuration: one line for each, which begins with its key or its file.
/// </summary>
internal sealed class ConfigurationErrors
{
    private readonly List<(string Key, string What)> _all = [];

    public IReadOnlyList<string> Lines => [.. _all.Select(one => $"{one.Key}: {one.What}")];

    public void Add(string key, string what) => _all.Add((key, what));

    /// <summary>Adds those of other errors whose key a condition accepts.</summary>
    public void Add(ConfigurationErrors others, Func<string, bool> isIncluded) =>
        _all.AddRange(others._all.Where(one => isIncluded(one.Key)));

    /// <summary>Checks a name that is used in keys, metrics and header fields.</summary>
    public void Name(string key, string name, string whose) => Unless(
        name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'),
        key, $"{whose} name is 1 to 64 letters, digits, '-', '_' and '.'");

    public void Unless(bool fine, string key, string what)
    {
        if (!fine) Add(key, what);
    }

    /// <returns>Whether the value is within the range.</returns>
    public bool Range<T>(string key, T value, T least, T most) where T : IComparable<T>, IFormattable
    {
        if (value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0) return true;
        var hint = value is TimeSpan ? "; durations are written [days.]hours:minutes:seconds" : "";
        Add(key, string.Create(CultureInfo.InvariantCulture, $"must be from {least} to {most}, but is {value}{hint}"));
        return false;
    }

    /// <exception cref="OptionsValidationException">There are errors.</exception>
    public void ThrowIfAny<T>()
    {
        if (_all.Count > 0) throw new OptionsValidationException(Options.DefaultName, typeof(T), Lines);
    }
}
