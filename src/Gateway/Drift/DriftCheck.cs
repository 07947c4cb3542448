using System.Buffers;
using System.Text;
using System.Text.Json;
using Gateway.Jobs;

namespace Gateway.Drift;

/// <summary>Compares a body with its expected shape, in one pass. A pure function.</summary>
internal sealed class DriftCheck
{
    // More findings would only repeat that the body is not a job.
    private const int MaxFindings = 1000;

    private const int MaxNameLength = 64;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    private readonly HashSet<Finding> _findings = [];
    private readonly Func<string, bool> _isKnownStatus;

    private DriftCheck(Func<string, bool> isKnownStatus) => _isKnownStatus = isKnownStatus;

    /// <summary>Returns each difference between a body and its shape once. A body that is not JSON has none.</summary>
    /// <param name="isKnownStatus">Returns whether a status word is known.</param>
    public static IReadOnlyCollection<Finding> Run(
        ReadOnlySpan<byte> body, ExpectedShape shape, Func<string, bool> isKnownStatus)
    {
        var check = new DriftCheck(isKnownStatus);
        var reader = new Utf8JsonReader(
            body.StartsWith(Encoding.UTF8.Preamble)
                ? body[3..] : body, new JsonReaderOptions { MaxDepth = JobFacts.MaxDepth });
        try
        {
            reader.Read();
            check.LookAt(ref reader, "", shape);
            return check._findings;
        }
        catch (JsonException)
        {
            return [];
        }
    }

    // Expects the reader at the first token of a value, and leaves it at the last one.
    private void LookAt(ref Utf8JsonReader reader, string pointer, ExpectedShape shape)
    {
        if (reader.TokenType != JsonTokenType.Null && !IsOf(ref reader, shape.Type)) Add(pointer, Finding.WrongType);
        else if (reader.TokenType == JsonTokenType.StartObject && shape.Fields is { } fields)
        {
            LookIntoObject(ref reader, pointer, fields);
        }
        else if (reader.TokenType == JsonTokenType.StartArray && shape.Items is { } items)
        {
            LookIntoArray(ref reader, pointer + "/*", items);
        }
        reader.Skip();
    }

    private void LookIntoObject(
        ref Utf8JsonReader reader, string pointer, IReadOnlyDictionary<string, ExpectedField> fields)
    {
        var seen = new HashSet<ExpectedField>(ReferenceEqualityComparer.Instance);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = JobFacts.TextOf(ref reader);
            reader.Read();
            if (name is null || !fields.TryGetValue(name, out var field))
            {
                Add($"{pointer}/{Shown(name)}", Finding.UnknownField);
                reader.Skip();
                continue;
            }
            seen.Add(field);
            if (field.IsStatus && IsNewStatus(ref reader)) Add($"{pointer}/{name}", Finding.NewStatus);
            LookAt(ref reader, $"{pointer}/{name}", field.Shape);
        }
        foreach (var field in fields.Values)
        {
            if (field.IsAlwaysSent && !seen.Contains(field)) Add($"{pointer}/{field.Name}", Finding.MissingField);
        }
    }

    private void LookIntoArray(ref Utf8JsonReader reader, string pointer, ExpectedShape items)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) LookAt(ref reader, pointer, items);
    }

    // An empty value counts as absent, like null.
    private bool IsNewStatus(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String
        && (JobFacts.TextOf(ref reader) is not { } word || (!string.IsNullOrWhiteSpace(word) && !_isKnownStatus(word)));

    private void Add(string pointer, string kind)
    {
        if (_findings.Count < MaxFindings) _findings.Add(new Finding(pointer, kind));
    }

    private static bool IsOf(ref Utf8JsonReader reader, ExpectedType type) => type switch
    {
        ExpectedType.Text => reader.TokenType == JsonTokenType.String,
        ExpectedType.Integer => reader.TokenType == JsonTokenType.Number && IsWhole(ref reader),
        ExpectedType.Number => reader.TokenType == JsonTokenType.Number,
        ExpectedType.Array => reader.TokenType == JsonTokenType.StartArray,
        ExpectedType.Object => reader.TokenType == JsonTokenType.StartObject,
        _ => true,
    };

    private static bool IsWhole(ref Utf8JsonReader reader) =>
        reader.TryGetInt64(out _)
        || (reader.TryGetDecimal(out var number) && decimal.IsInteger(number)
        && number is >= long.MinValue and <= long.MaxValue);

    // A name is data of the upstream, and could hold a secret.
    private static string Shown(string? name) =>
        name?.Length is > 0 and <= MaxNameLength && !name.AsSpan().ContainsAnyExcept(NameCharacters) ? name : "?";
}
