using System.Text.Json;

namespace Simulator.Jobs;

/// <summary>The forms of a field that is documented as <c>integer[]</c> but may be any JSON value.</summary>
internal enum RawForm
{
    /// <summary>The bytes of the JSON text, as numbers.</summary>
    Ints,
    Object,
    Objects,
    Base64,
    Null,
}

internal static class RawField
{
    private static readonly RawForm[] All = Enum.GetValues<RawForm>();

    /// <summary>The form of the n-th raw field of a job that mixes all of them.</summary>
    public static RawForm Mixed(int n) => All[n % All.Length];

    public static void Write(Utf8JsonWriter json, string name, byte[] content, RawForm form)
    {
        json.WritePropertyName(name);
        switch (form)
        {
            case RawForm.Ints:
                json.WriteStartArray();
                foreach (byte value in content)
                    json.WriteNumberValue(value);
                json.WriteEndArray();
                break;
            case RawForm.Object:
                json.WriteRawValue(content);
                break;
            case RawForm.Objects:
                json.WriteStartArray();
                json.WriteRawValue(content);
                json.WriteEndArray();
                break;
            case RawForm.Base64:
                json.WriteBase64StringValue(content);
                break;
            case RawForm.Null:
                json.WriteNullValue();
                break;
        }
    }
}
