using System.Collections.Concurrent;
using System.Net;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// OpenIddict without a store: it implements the protocol, and asks the provider for clients, users and keys.
/// </summary>
internal static class IdentityServer
{
    public static WebApplication Build(IdentityProvider provider)
    {
        var address = IPAddress.TryParse(provider.Address.Host, out var parsed) ? parsed : IPAddress.Loopback;
        var builder = Loopback.Server(provider.Address.Port, provider.Https, address);
        builder.Logging.AddProvider(provider.Log);
        builder.Services.AddAuthentication();
        builder.Services.Configure<KeyManagementOptions>(options => options.XmlRepository = new Memory());
        builder.Services.AddOpenIddict().AddServer(server => Configure(server, provider));
        var app = builder.Build();
        app.Use((context, next) =>
        {
            provider.Ledger.AddRequest(context.Request.Path);
            return next(context);
        });
        app.UseRouting();
        app.UseAuthentication();
        new IdentityEndpoints(provider).Map(app);
        return app;
    }

    /// <summary>Clears the cached options, so that they are built again with the current keys.</summary>
    public static void ReadKeysAgain(WebApplication app) =>
        app.Services.GetRequiredService<IOptionsMonitorCache<OpenIddictServerOptions>>().Clear();

    private static void Configure(OpenIddictServerBuilder server, IdentityProvider provider)
    {
        server.EnableDegradedMode();
        server.SetIssuer(provider.Issuer)
            .SetConfigurationEndpointUris(Endpoint.Discovery).SetJsonWebKeySetEndpointUris(Endpoint.Keys)
            .SetAuthorizationEndpointUris(Endpoint.Authorization).SetTokenEndpointUris(Endpoint.Token)
            .SetUserInfoEndpointUris(Endpoint.UserInfo).SetEndSessionEndpointUris(Endpoint.EndSession);
        if (provider.TakesPushedRequests) server.SetPushedAuthorizationEndpointUris(Endpoint.PushedAuthorization);
        server.AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange().AllowRefreshTokenFlow()
            .AllowClientCredentialsFlow();
        server.RegisterScopes(Scopes.OpenId, Scopes.Profile, Scopes.Email, Scopes.OfflineAccess);
        server.RegisterClaims(Claims.Subject, Claims.Name, Claims.Email, Claims.PreferredUsername, "groups", "sid");
        server.SetAccessTokenLifetime(provider.AccessTokenLifetime).DisableAccessTokenEncryption();
        server.SetIdentityTokenLifetime(IdentityProvider.IdTokenLifetime);
        server.AddEncryptionKey(provider.OwnKey);
        server.Configure(options =>
        {
            options.TimeProvider = provider.Clock;
            options.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain);
            foreach (var key in provider.Keys.All)
                options.SigningCredentials.Add(new(key, SecurityAlgorithms.RsaSha256));
        });
        server.UseAspNetCore().DisableTransportSecurityRequirement()
            .EnableAuthorizationEndpointPassthrough().EnableTokenEndpointPassthrough()
            .EnableUserInfoEndpointPassthrough().EnableEndSessionEndpointPassthrough();
        Validate(server, provider);
        Publish(server, provider);
        Record(server, provider.Ledger);
    }

    private static void Validate(OpenIddictServerBuilder server, IdentityProvider provider)
    {
        On<ValidateAuthorizationRequestContext>(server, context =>
        {
            if (context.ClientId != IdentityProvider.ClientId)
                context.Reject(Errors.InvalidRequest, "The client is unknown.");
            else if (!provider.IsRedirectUri(context.RedirectUri))
                context.Reject(Errors.InvalidRequest, "The redirect URI is not registered for this client.");
        });
        On<ValidatePushedAuthorizationRequestContext>(server, context =>
        {
            var client = (context.ClientId, context.Request.ClientSecret);
            if (client != (IdentityProvider.ClientId, IdentityProvider.ClientSecret))
                context.Reject(Errors.InvalidClient, "The client or its secret is wrong.");
            else if (!provider.IsRedirectUri(context.RedirectUri))
                context.Reject(Errors.InvalidRequest, "The redirect URI is not registered for this client.");
        });
        On<ValidateTokenRequestContext>(server, context =>
        {
            var grant = context.Request.GrantType;
            var isKnown = (context.ClientId, context.ClientSecret) switch
            {
                (IdentityProvider.ClientId, IdentityProvider.ClientSecret) => grant is not GrantTypes.ClientCredentials,
                (IdentityProvider.ServiceId, IdentityProvider.ServiceSecret) => grant is GrantTypes.ClientCredentials,
                _ => false,
            };
            if (!isKnown)
                context.Reject(Errors.InvalidClient,
                    "The client or its secret is wrong, or the grant type is not allowed for it.");
        });
        On<ValidateEndSessionRequestContext>(server, context =>
        {
            if (context.PostLogoutRedirectUri is { Length: > 0 } uri && !provider.IsPostLogoutRedirectUri(uri))
                context.Reject(Errors.InvalidRequest, "The post-logout redirect URI is not registered.");
        });
    }

    private static void Publish(OpenIddictServerBuilder server, IdentityProvider provider)
    {
        On<HandleJsonWebKeySetRequestContext>(server, context =>
            context.Keys.RemoveAll(key => !provider.Keys.Published.Contains(key.Kid)));
        On<HandleConfigurationRequestContext>(server, context =>
        {
            context.Metadata["backchannel_logout_supported"] = true;
            context.Metadata["backchannel_logout_session_supported"] = true;
        });
    }

    private static void Record(OpenIddictServerBuilder server, IdentityLedger ledger)
    {
        // These handlers run before the response is sent.
        On<ApplyTokenResponseContext>(server, int.MinValue, context => ledger.Add(
            new(context.Request?.GrantType, context.Request?.ClientId, context.Error),
            context.Response.IdToken, context.Response.AccessToken, context.Response.RefreshToken));
        On<ApplyAuthorizationResponseContext>(server, int.MinValue, context =>
        {
            if (context.Response.Code is { } code) ledger.AddCode(code);
        });
    }

    private static void On<T>(OpenIddictServerBuilder server, Action<T> handle) where T : BaseContext =>
        On(server, 0, handle);

    private static void On<T>(OpenIddictServerBuilder server, int order, Action<T> handle) where T : BaseContext =>
        server.AddEventHandler<T>(handler => handler.SetOrder(order).UseInlineHandler(context =>
        {
            handle(context);
            return default;
        }));

    /// <summary>
    /// Keeps the key ring that authentication creates in memory, instead of in the user's home directory.
    /// </summary>
    private sealed class Memory : IXmlRepository
    {
        private readonly ConcurrentQueue<XElement> _elements = new();

        public IReadOnlyCollection<XElement> GetAllElements() => [.. _elements];

        public void StoreElement(XElement element, string friendlyName) => _elements.Enqueue(element);
    }
}
