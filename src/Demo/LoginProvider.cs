using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Demo;

/// <summary>
/// The OpenID Connect provider of the demo: OpenIddict without a store, with one client and two users who have no
/// password. Its keys and the client's secret are made at the start, and end with the process.
/// </summary>
internal sealed class LoginProvider : IAsyncDisposable
{
    public const string ClientId = "gateway-demo";

    private static readonly TimeSpan CodeLifetime = TimeSpan.FromMinutes(1), TokenLifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, bool> _spentCodes = new();
    private WebApplication? _app;
    private int _gatewayPort;

    private LoginProvider()
    {
    }

    /// <summary>The issuer.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1/");

    public string ClientSecret { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Starts on loopback.</summary>
    /// <param name="port">The port; 0 picks a free one.</param>
    /// <param name="cancellation">Cancels the start.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<LoginProvider> StartAsync(int port, CancellationToken cancellation = default)
    {
        var provider = new LoginProvider();
        var builder = LoopbackServer.Create(port);
        builder.Services.AddAuthentication();
        // Otherwise the keys of cookies would be written to the user's home directory.
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddOpenIddict().AddServer(provider.Configure);
        var app = builder.Build();
        app.UseRouting();
        app.UseAuthentication();
        LoginEndpoints.Map(app, provider);
        provider.Address = await LoopbackServer.StartAsync(app, cancellation);
        provider._app = app;
        return provider;
    }

    /// <summary>Lets the gateway log users in. Its address may be written as 127.0.0.1 or localhost.</summary>
    public void Register(Uri gateway) => _gatewayPort = gateway.Port;

    /// <returns>Whether a code is used for the first time.</returns>
    public bool Spend(string code) => _spentCodes.TryAdd(code, true);

    public async ValueTask DisposeAsync()
    {
        if (_app is null) return;
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private void Configure(OpenIddictServerBuilder server)
    {
        server.EnableDegradedMode();
        server.SetConfigurationEndpointUris(LoginEndpoints.Discovery)
            .SetJsonWebKeySetEndpointUris(LoginEndpoints.Keys)
            .SetAuthorizationEndpointUris(LoginEndpoints.Authorization).SetTokenEndpointUris(LoginEndpoints.Token)
            .SetUserInfoEndpointUris(LoginEndpoints.UserInfo).SetEndSessionEndpointUris(LoginEndpoints.EndSession);
        server.AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange();
        server.RegisterScopes(Scopes.OpenId, Scopes.Profile, Scopes.Email);
        server.RegisterClaims(Claims.Subject, Claims.Name, Claims.PreferredUsername, DemoUser.GroupsClaim);
        server.SetAuthorizationCodeLifetime(CodeLifetime).SetAccessTokenLifetime(TokenLifetime);
        server.AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)));
        server.AddSigningKey(new RsaSecurityKey(RSA.Create(2048)) { KeyId = Guid.NewGuid().ToString("N") });
        server.Configure(options => options.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain));
        server.UseAspNetCore().DisableTransportSecurityRequirement()
            .EnableAuthorizationEndpointPassthrough().EnableTokenEndpointPassthrough()
            .EnableUserInfoEndpointPassthrough().EnableEndSessionEndpointPassthrough();
        On<ValidateAuthorizationRequestContext>(server, context =>
        {
            if (context.ClientId != ClientId) context.Reject(Errors.InvalidRequest, "The client is unknown.");
            else if (!IsOfGateway(context.RedirectUri, "/bff/callback"))
            {
                context.Reject(Errors.InvalidRequest, "The redirect address is not that of the demo's gateway.");
            }
        });
        On<ValidateTokenRequestContext>(server, context =>
        {
            if (context.ClientId != ClientId || context.ClientSecret != ClientSecret)
            {
                context.Reject(Errors.InvalidClient, "The client or its secret is wrong.");
            }
        });
        On<ValidateEndSessionRequestContext>(server, context =>
        {
            if (!IsOfGateway(context.PostLogoutRedirectUri, "/bff/logged-out"))
            {
                context.Reject(Errors.InvalidRequest, "The redirect address is not that of the demo's gateway.");
            }
        });
    }

    private bool IsOfGateway(string? address, string path) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Port == _gatewayPort
        && uri is { Scheme: "http", Host: "127.0.0.1" or "localhost" } && uri.PathAndQuery == path;

    private static void On<T>(OpenIddictServerBuilder server, Action<T> handle) where T : BaseContext =>
        server.AddEventHandler<T>(handler => handler.UseInlineHandler(context =>
        {
            handle(context);
            return default;
        }));
}
