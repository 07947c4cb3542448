using Gateway.Callers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.KeyTiming;

/// <summary>The gateway, and a server that compares keys naively; both on loopback.</summary>
internal static class Hosts
{
    private const string AnyPort = "http://127.0.0.1:0";

    public static async Task<WebApplication> StartGatewayAsync(IEnumerable<string> keys)
    {
        var settings = new Dictionary<string, string?>(Admitting(keys))
        {
            ["urls"] = AnyPort,
            ["http_ports"] = null,
            ["https_ports"] = null,
            ["ConnectionStrings:Redis"] = "",
            ["Management:Port"] = "0",
            ["PathBase"] = "",
            ["Upstream:Accounts:default:Credential"] = "never-sent",
            ["Upstream:Accounts:default:CredentialFile"] = "",
            ["Authentication:Jwt:Authority"] = "",
            ["Authentication:Oidc:Authority"] = "",
            // The failed-attempt limiter would answer all but the first 20 keys with 429. The measurement is about the
            // check behind it, which an attacker with many addresses can reach.
            ["Authentication:FailedAttempts"] = "0",
            ["Teams:timing:Workflows:0"] = "*",
            ["Logging:LogLevel:Default"] = "Warning",
            ["Logging:LogLevel:Gateway"] = "Warning",
        };
        var app = Gateway.Program.Build([], settings);
        await app.StartAsync();
        return app;
    }

    /// <summary>Replaces the keys that the gateway knows, like a configuration change.</summary>
    public static void Admit(this WebApplication gateway, string[] keys)
    {
        foreach (var (name, value) in Admitting(keys)) gateway.Configuration[name] = value;
        ((IConfigurationRoot)gateway.Configuration).Reload();
        // Wrong keys would prove nothing if the gateway did not know the valid ones.
        var directory = gateway.Services.GetRequiredService<CallerDirectory>();
        if (Array.Exists(keys, key => directory.Find(key) is null))
            throw new InvalidOperationException("A key was not accepted.");
    }

    public static async Task<WebApplication> StartNaiveAsync(NaiveKeys keys)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add(AnyPort);
        app.Run(http =>
        {
            var isKnown = keys.Has(http.Request.Headers["X-Api-Key"].ToString());
            http.Response.StatusCode = isKnown ? StatusCodes.Status200OK : StatusCodes.Status401Unauthorized;
            return http.Response.WriteAsync("{}");
        });
        await app.StartAsync();
        return app;
    }

    private static IEnumerable<KeyValuePair<string, string?>> Admitting(IEnumerable<string> keys)
    {
        foreach (var (i, key) in keys.Index())
        {
            yield return new($"Teams:timing:ApiKeys:{i}:Id", $"timing-{i}");
            yield return new($"Teams:timing:ApiKeys:{i}:Sha256", KeyHash.Of(key).ToString());
        }
    }
}
