using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;

namespace Gateway.Configuration;

/// <summary>An optional JSON file.</summary>
internal sealed class JsonFileSource(string path) : DiskSource(path)
{
    public override DiskContent Read(DiskContent inForce)
    {
        var (files, errors) = (new Dictionary<string, byte[]>(), new ConfigurationErrors());
        // A link without a target is an error, and not a missing file.
        var exists = System.IO.Path.Exists(Path) || new FileInfo(Path).LinkTarget is not null;
        if (exists || inForce.Files.Count > 0) ReadFile(Path, files, errors);
        return new DiskContent(files, errors.Lines);
    }

    public override Dictionary<string, string?> Parse(DiskContent content, ConfigurationErrors errors)
    {
        var settings = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (file, bytes) in content.Files)
        {
            try
            {
                using var stream = new MemoryStream(bytes);
                var json = new Json(new JsonStreamConfigurationSource { Stream = stream });
                json.Load();
                foreach (var (key, value) in json.Settings) settings[key] = value;
            }
            catch (FormatException e)
            {
                // The message of an inner exception may hold a character of a value.
                errors.Add(file, e.InnerException is JsonException { LineNumber: { } line, BytePositionInLine: var at }
                    ? $"is not valid JSON at line {line + 1}, byte {at + 1}" : e.Message);
            }
            catch (JsonException e)
            {
                errors.Add(file, $"is not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
            }
        }
        return settings;
    }

    private sealed class Json(JsonStreamConfigurationSource source) : JsonStreamConfigurationProvider(source)
    {
        public IDictionary<string, string?> Settings => Data;
    }
}
