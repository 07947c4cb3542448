using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using SharpYaml;
using SharpYaml.Events;

namespace Gateway.Contract.Republished;

/// <summary>
/// Writes the first document of a YAML text as JSON, event by event. A tree of YAML nodes would take several times as
/// long, and its aliases could make it larger than memory.
/// </summary>
internal sealed class YamlText : IDisposable
{
    /// <summary>The depth of nested objects and lists that is read, in JSON and in YAML.</summary>
    public const int MaxDepth = 256;

    // Aliases of aliases grow exponentially.
    private const int MaxAliasBytes = 32 * 1024 * 1024;

    private const string StringTag = "tag:yaml.org,2002:str";

    private readonly IParser _events;
    private readonly ArrayBufferWriter<byte> _json;
    private readonly Utf8JsonWriter _writer;
    private readonly Dictionary<string, Range> _anchors = new(StringComparer.Ordinal);
    private int _aliasBytes;

    private YamlText(string text)
    {
        // The library reads a string faster than a stream.
        _events = Parser.CreateParser(new StringReader(text), MaxDepth);
        _json = new ArrayBufferWriter<byte>(Math.Max(256, text.Length));
        // The reader of the JSON finds names that occur twice.
        _writer = new Utf8JsonWriter(_json, new JsonWriterOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            MaxDepth = MaxDepth,
            SkipValidation = true,
        });
    }

    // The bytes that were written so far.
    private int Written => (int)_writer.BytesCommitted + _writer.BytesPending;

    /// <returns>JSON in UTF-8, in which a name may occur twice; <c>null</c> if the text is empty.</returns>
    /// <exception cref="YamlException">The text is not YAML, or cannot be written as JSON.</exception>
    /// <exception cref="InvalidOperationException">It is nested too deeply.</exception>
    public static ReadOnlyMemory<byte> ToJson(string text)
    {
        using var yaml = new YamlText(text);
        yaml.WriteDocument();
        return yaml._json.WrittenMemory;
    }

    public void Dispose() => _writer.Dispose();

    private void WriteDocument()
    {
        if (Next() is StreamStart && Next() is DocumentStart)
        {
            Next();
            WriteNode();
        }
        else
        {
            _writer.WriteNullValue();
        }
        _writer.Flush();
    }

    private ParsingEvent? Next() => _events.MoveNext() ? _events.Current : null;

    private void WriteNode()
    {
        var (start, anchor) = (Written, (_events.Current as NodeEvent)?.Anchor);
        switch (_events.Current)
        {
            case AnchorAlias alias:
                WriteCopy(alias);
                break;
            case Scalar scalar:
                WriteScalar(scalar);
                break;
            case SequenceStart:
                _writer.WriteStartArray();
                while (Next() is not SequenceEnd) WriteNode();
                _writer.WriteEndArray();
                break;
            case MappingStart:
                _writer.WriteStartObject();
                while (Next() is not MappingEnd)
                {
                    if (_events.Current is not Scalar name) throw Unreadable("a name must be a text");
                    _writer.WritePropertyName(name.Value);
                    Next();
                    WriteNode();
                }
                _writer.WriteEndObject();
                break;
        }
        if (anchor is not null) _anchors[anchor] = start..Written;
    }

    private void WriteCopy(AnchorAlias alias)
    {
        // A node is known after its end, so it cannot hold itself.
        if (!_anchors.TryGetValue(alias.Value, out var range))
        {
            throw Unreadable($"there is no '&{alias.Value}' before '*{alias.Value}', or it holds itself");
        }
        _writer.Flush();
        // A comma belongs to the list around the node.
        var copied = _json.WrittenSpan[range].TrimStart((byte)',');
        if ((_aliasBytes += copied.Length) > MaxAliasBytes)
        {
            throw Unreadable($"its aliases (*) repeat more than {MaxAliasBytes >> 20} MiB");
        }
        _writer.WriteRawValue(copied, skipInputValidation: true);
    }

    // YAML 1.2, section 10.3, without numbers in base 8 and 16, infinity and NaN, which JSON does not have.
    private void WriteScalar(Scalar scalar)
    {
        var text = scalar.Value;
        if (scalar.Style != ScalarStyle.Plain || scalar.Tag == StringTag) _writer.WriteStringValue(text);
        else if (text is "" or "~" or "null" or "Null" or "NULL") _writer.WriteNullValue();
        else if (bool.TryParse(text, out var isTrue)) _writer.WriteBooleanValue(isTrue);
        else if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            _writer.WriteNumberValue(number);
        }
        else _writer.WriteStringValue(text);
    }

    private YamlException Unreadable(string why) => new(_events.Current!.Start, _events.Current.End, why);
}
