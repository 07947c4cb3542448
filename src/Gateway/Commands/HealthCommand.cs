using System.CommandLine;

namespace Gateway.Commands;

/// <summary><c>health</c>: checks whether a gateway is alive, for containers without a shell.</summary>
internal static class HealthCommand
{
    public static Command Create()
    {
        var url = new Option<Uri>("--url")
        {
            Description = "The URL of the health check; by default on the port that the configuration names",
            DefaultValueFactory = _ => ConfiguredUrl(),
            CustomParser = result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var uri)) return uri;
                result.AddError("--url must be an absolute address");
                return null;
            },
        };
        var command = new Command("health", "Checks whether a gateway is alive; exits with 0 or 1") { url };
        command.SetAction((parsed, cancellation) => AskAsync(parsed.GetRequiredValue(url), cancellation));
        return command;
    }

    /// <summary>
    /// The health check of a gateway with the same environment and files: on <c>Management:Port</c>, or else on the
    /// first port for plain HTTP.
    /// </summary>
    private static Uri ConfiguredUrl()
    {
        var configuration = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory }).Configuration;
        if (configuration["Management:Port"] is { Length: > 0 } management && management != "0")
        {
            return UrlOf("127.0.0.1", management);
        }
        var addresses = configuration.GetSection("Kestrel:Endpoints").GetChildren()
            .Select(endpoint => endpoint["Url"]).Concat((configuration["urls"] ?? "").Split(';'));
        foreach (var address in addresses)
        {
            if (Parse(address) is not { Scheme: "http" } bound) continue;
            // Names that mean all addresses of the machine.
            var host = bound.Host is "*" or "+" or "0.0.0.0" or "[::]" ? "127.0.0.1" : bound.Host;
            return UrlOf(host, $"{bound.Port}");
        }
        return UrlOf("127.0.0.1", configuration["http_ports"]?.Split(';')[0] is { Length: > 0 } port ? port : "8080");

        static BindingAddress? Parse(string? address)
        {
            try
            {
                return string.IsNullOrWhiteSpace(address) ? null : BindingAddress.Parse(address.Trim());
            }
            catch (FormatException)
            {
                // A gateway does not start with this address.
                return null;
            }
        }

        static Uri UrlOf(string host, string port) => new($"http://{host}:{port}/health/live");
    }

    private static async Task<int> AskAsync(Uri url, CancellationToken cancellation)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        client.Timeout = TimeSpan.FromSeconds(5);
        try
        {
            using var response = await client.GetAsync(url, cancellation);
            Console.WriteLine($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(cancellation)}");
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{url}: {e.Message}");
            return 1;
        }
    }
}
