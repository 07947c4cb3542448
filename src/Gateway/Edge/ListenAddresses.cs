using Gateway.Configuration;

namespace Gateway.Edge;

/// <summary>
/// Checks the addresses on which the gateway listens. They are settings of the framework. At some errors the framework
/// fails with a stack trace, and at others it listens on port 80.
/// </summary>
internal static class ListenAddresses
{
    private const string Urls = "urls", HttpPorts = "http_ports", HttpsPorts = "https_ports";

    private const string Form =
        "must be an address such as http://*:8080, with a port from 0 to 65535 and without a path";

    /// <summary>The settings that name addresses, all of which count only at the start.</summary>
    public static readonly string[] Keys = [Urls, HttpPorts, HttpsPorts, "Kestrel"];

    public static void Check(IConfiguration configuration, ConfigurationErrors errors)
    {
        var areUrls = Split(configuration[Urls]).All(IsAddress);
        errors.Unless(areUrls, Urls, $"{Form} (ASPNETCORE_URLS)");
        foreach (var key in (string[])[HttpPorts, HttpsPorts])
        {
            errors.Unless(Split(configuration[key]).All(IsPort), key,
                $"must be ports from 0 to 65535, separated by ';' (ASPNETCORE_{key.ToUpperInvariant()})");
        }
        foreach (var endpoint in configuration.GetSection("Kestrel:Endpoints").GetChildren())
        {
            errors.Unless(IsAddress(endpoint["Url"] ?? ""), $"{endpoint.Path}:Url", Form);
        }
    }

    public static string[] Split(string? list) =>
        list?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static bool IsPort(string text) => ushort.TryParse(text, out _);

    private static bool IsAddress(string text)
    {
        try
        {
            var address = BindingAddress.Parse(text);
            var isOwn = address.Scheme.ToUpperInvariant() is "HTTP" or "HTTPS" && address.PathBase.Length == 0;
            // The parser takes a port that is no number as a part of the host.
            var isHost = address.Host.StartsWith('[') ? address.Host.EndsWith(']') : !address.Host.Contains(':');
            return isOwn && (address.IsUnixPipe || (isHost && address.Port is >= 0 and <= 65535));
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
