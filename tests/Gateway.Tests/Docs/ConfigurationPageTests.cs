using System.Collections;
using System.Reflection;
using System.Text.RegularExpressions;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Docs;

/// <summary>Checks that the page of the configuration lists exactly the options that exist.</summary>
[Trait("Kind", "Unit")]
public sealed partial class ConfigurationPageTests
{
    [Fact]
    public void The_configuration_page_lists_exactly_the_options_that_exist()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));
        // A row may list several options that belong together.
        var listed = Row().Matches(page).SelectMany(row => Option().Matches(row.Groups[1].Value))
            .Select(option => option.Groups[1].Value).ToHashSet(StringComparer.Ordinal);
        // An operator's key has the shape of a team's key, but a quota for it is refused.
        var exist = OptionsOf(typeof(GatewayOptions), "").Where(option => option != "Operators:ApiKeys:{n}:Quota")
            .ToHashSet(StringComparer.Ordinal);

        Assert.Equal("", string.Join('\n', exist.Except(listed)));
        Assert.Equal("", string.Join('\n', listed.Except(exist)));
    }

    private static IEnumerable<string> OptionsOf(Type type, string path) =>
        from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        where property.CanWrite
        from option in OptionsOf(property, path.Length == 0 ? property.Name : $"{path}:{property.Name}")
        select option;

    private static IEnumerable<string> OptionsOf(PropertyInfo property, string path)
    {
        var type = property.PropertyType;
        if (!typeof(IEnumerable).IsAssignableFrom(type) || type == typeof(string))
        {
            return type.Namespace!.StartsWith("Gateway", StringComparison.Ordinal) && !type.IsEnum
                ? OptionsOf(type, path) : [path];
        }
        var item = type.GetGenericArguments()[^1];
        var isObject = item.Namespace!.StartsWith("Gateway", StringComparison.Ordinal) && !item.IsEnum;
        var isNamed = typeof(IDictionary).IsAssignableFrom(type);
        if (!isObject) return [isNamed ? $"{path}:{{claim}}" : path];
        return OptionsOf(item, isNamed ? $"{path}:{{name}}" : $"{path}:{{n}}");
    }

    [GeneratedRegex(@"^\| ((?:`[A-Za-z:{}0-9]+`(?:, )?)+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([A-Z][A-Za-z]+(?::[A-Za-z{}0-9]+)+|PathBase)`")]
    private static partial Regex Option();
}
