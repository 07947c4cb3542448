using Gateway.Callers.Sessions;
using Gateway.Redis;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.Options;

namespace Gateway.Callers;

/// <summary>Registers authentication: gateway keys, tokens and browser sessions.</summary>
internal static class CallerServices
{
    public static void AddCallers(this IServiceCollection services)
    {
        services.AddSingleton<Audit>();
        services.AddSingleton<UseCounters>();
        services.AddSingleton<CallerDirectory>();
        services.AddSingleton<FailedAttemptLimiter>();
        services.AddSingleton<UnmatchedCallers>();
        services.AddRedisParticipant<SharedUnmatched>();
        services.AddSingleton<Identification>();

        services.AddSingleton<SessionIds>();
        services.AddRedisParticipant<SharedSessions>();
        services.AddSingleton<LoginLimits>();
        services.AddSingleton<SessionStore>();
        services.AddSingleton<SessionTokens>();
        services.AddSingleton<SessionRefresh>();
        services.AddSingleton<TokenRevocation>();
        services.AddSingleton<CheckedSessions>();
        services.AddSingleton<ProviderOfSessions>();
        services.AddSingleton<ClientAuthentication>();
        services.AddSingleton<LoginProbe>();
        services.AddSingleton<LoginResults>();
        services.AddScoped<LoginEndpoints>();
        services.AddScoped<BrowserEndpoints>();
        services.AddSingleton<BackChannelLogout>();
        services.AddAuthentication().AddRemoteScheme<OpenIdConnectOptions, LoginHandler>(
            Login.Scheme, displayName: null, _ => { });
        services.AddSingleton<IPostConfigureOptions<OpenIdConnectOptions>, OpenIdConnectPostConfigureOptions>();
        services.AddSingleton<IConfigureOptions<OpenIdConnectOptions>, Login>();
        services.AddKeys();
    }

    private static void AddKeys(this IServiceCollection services)
    {
        services.AddDataProtection().SetApplicationName("gateway");
        services.AddRedisParticipant<KeyRepository>();
        services.AddSingleton<XmlKeyManager>();
        services.AddSingleton<IKeyManager, KeyRepository.Manager>();
        services.AddOptions<KeyManagementOptions>().Configure<KeyRepository>((options, repository) =>
        {
            options.XmlRepository = repository;
            // Anyone who can read this Redis can read the sessions themselves.
            options.XmlEncryptor = new NullXmlEncryptor();
        });
    }
}
