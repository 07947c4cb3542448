using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// Publishes metadata and a key under the name of any issuer, on a real socket, and signs tokens of any shape.
/// </summary>
internal sealed class TokenIssuer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TokenIssuer(string issuer, RsaSecurityKey key)
    {
        (Issuer, Key) = (issuer, key);
        var address = new Uri($"http://127.0.0.1:{ChildProcess.FreePort()}/");
        MetadataAddress = new Uri(address, "metadata?app=1").AbsoluteUri;
        _app = Loopback.Server(address.Port).Build();
        _app.UseRouting();
        _app.MapGet("metadata", (HttpRequest request) => request.QueryString.Value != "?app=1"
            ? Results.NotFound()
            : Results.Text(new JsonObject
            {
                ["issuer"] = issuer,
                ["jwks_uri"] = new Uri(address, "keys").AbsoluteUri,
            }.ToJsonString(), "application/json"));
        _app.MapGet("keys", () => Results.Text(Published().ToJsonString(), "application/json"));
    }

    public string Issuer { get; }

    public string MetadataAddress { get; }

    public RsaSecurityKey Key { get; }

    /// <param name="key">The key of another issuer; null for a new one.</param>
    public static async Task<TokenIssuer> StartAsync(string issuer, RsaSecurityKey? key = null)
    {
        var created = new TokenIssuer(issuer, key ?? SigningKeys.NewKey());
        await created._app.StartAsync();
        return created;
    }

    /// <summary>Signs claims exactly as they are given.</summary>
    public string Sign(JsonObject claims, string type = "JWT") => new JsonWebTokenHandler().CreateToken(
        claims.ToJsonString(), new SigningCredentials(Key, SecurityAlgorithms.RsaSha256),
        new Dictionary<string, object> { [JwtHeaderParameterNames.Typ] = type });

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private JsonObject Published()
    {
        using var rsa = RSA.Create(Key.Parameters);
        var key = JsonWebKeyConverter.ConvertFromRSASecurityKey(
            new RsaSecurityKey(rsa.ExportParameters(includePrivateParameters: false)) { KeyId = Key.KeyId });
        return new JsonObject
        {
            ["keys"] = new JsonArray(new JsonObject
            {
                ["kty"] = "RSA",
                ["use"] = "sig",
                ["kid"] = key.Kid,
                ["n"] = key.N,
                ["e"] = key.E,
            }),
        };
    }
}
