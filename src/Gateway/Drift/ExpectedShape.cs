using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Gateway.Contract;

namespace Gateway.Drift;

/// <summary>
/// The shape of a value in the contract. The shape is derived from the records from which the contract is published.
/// </summary>
/// <param name="Type">The type; null allows any.</param>
/// <param name="Items">The shape of an array's items.</param>
/// <param name="Fields">The fields of an object, by name.</param>
internal sealed record ExpectedShape(
    ExpectedType Type, ExpectedShape? Items = null, IReadOnlyDictionary<string, ExpectedField>? Fields = null)
{
    public static readonly ExpectedShape OfJob = Of(typeof(Job));

    /// <exception cref="NotSupportedException">No check is written for the type yet.</exception>
    public static ExpectedShape Of(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(JsonElement)) return new(ExpectedType.Any);
        if (type == typeof(string)) return new(ExpectedType.Text);
        if (type == typeof(long)) return new(ExpectedType.Integer);
        if (type == typeof(double)) return new(ExpectedType.Number);
        if (type.IsGenericType && type.IsAssignableTo(typeof(IList)))
        {
            return new(ExpectedType.Array, Items: Of(type.GetGenericArguments()[0]));
        }
        if (type.Namespace != typeof(Job).Namespace) throw new NotSupportedException($"There is no check for {type}.");
        return new(ExpectedType.Object,
            Fields: type.GetProperties().Select(ExpectedField.Of)
                .ToDictionary(field => field.Name, StringComparer.Ordinal));
    }
}

/// <summary>One field of an object.</summary>
/// <param name="IsAlwaysSent">Whether an object without the field is a difference.</param>
internal sealed record ExpectedField(string Name, ExpectedShape Shape, bool IsAlwaysSent)
{
    /// <summary>Whether the field holds the status word of a job or a task.</summary>
    public bool IsStatus => Name == "status";

    public static ExpectedField Of(PropertyInfo property) => new(
        property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name
            ?? throw new NotSupportedException($"{property} has no name in JSON."),
        ExpectedShape.Of(property.PropertyType), property.IsDefined(typeof(AlwaysSentAttribute)));
}

internal enum ExpectedType
{
    /// <summary>A raw field: any value is valid, and its content is not checked.</summary>
    Any,
    Text,

    /// <summary>
    /// A whole number of 64 bits, also if it is written 12.0 (JSON Schema Validation 2020-12, section 6.1.1).
    /// </summary>
    Integer,
    Number,
    Array,
    Object,
}
