using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
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

    /// <summary>Settings for tokens of this issuer, as the only provider or as one of several.</summary>
    public (string Key, string? Value)[] Settings(string audience, string section = "Authentication:Jwt") =>
    [
        ($"{section}:Authority", Issuer), ($"{section}:Audience", audience), .. Reached(section),
    ];

    /// <summary>Settings to reach this issuer under its name.</summary>
    public (string Key, string? Value)[] Reached(string section = "Authentication:Jwt") =>
        [($"{section}:MetadataAddress", MetadataAddress), ($"{section}:RequireHttpsMetadata", "false")];

    /// <summary>
    /// Signs claims by RS256, exactly as they are given. Only times are added if they are missing.
    /// </summary>
    /// <param name="type">The type in the header; null: none.</param>
    /// <param name="key">Signs in place of the issuer's own key, whose id the token still has.</param>
    public string Sign(JsonObject claims, string? type = "JWT", RsaSecurityKey? key = null)
    {
        var header = new JsonObject { ["alg"] = "RS256", ["kid"] = Key.KeyId };
        if (type is not null) header["typ"] = type;
        claims = claims.DeepClone().AsObject();
        var now = DateTimeOffset.UtcNow;
        claims.TryAdd("iat", now.ToUnixTimeSeconds());
        claims.TryAdd("exp", now.AddMinutes(5).ToUnixTimeSeconds());
        var signed = $"{Encode(header)}.{Encode(claims)}";
        using var rsa = RSA.Create((key ?? Key).Parameters);
        var signature = rsa.SignData(
            Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode(JsonObject json) =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));

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
