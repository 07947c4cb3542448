using Gateway.Callers.Sessions;
using Gateway.Redis;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.Options;

namespace Gateway.Callers;

/// <summary>Everything that says who is asking.</summary>
internal static class CallerServices
{
    public static void AddCallers(this IServiceCollection services)
    {
        services.AddSingleton<CallerDirectory>();
        services.AddSingleton<FailedAttemptLimiter>();
        services.AddSingleton<Identification>();

        services.AddSingleton<SessionIds>();
        services.AddRedisParticipant<SharedSessions>();
        services.AddSingleton<LoginLimits>();
        services.AddSingleton<SessionStore>();
        services.AddSingleton<ProviderOfSessions>();
        services.AddScoped<BrowserEndpoints>();
        services.AddSingleton<BackChannelLogout>();
        services.AddDataProtection().SetApplicationName("gateway");
        services.AddHostedService<KeyRing.Start>();
        services.AddRedisParticipant<KeyRing>();
        services.AddSingleton<IConfigureOptions<KeyManagementOptions>>(provider => provider.GetRequiredService<KeyRing>());
        services.AddSingleton<XmlKeyManager>();
        services.AddSingleton<IKeyManager, KeyRing.Manager>();
        services.AddAuthentication().AddOpenIdConnect(Login.Scheme, _ => { });
        // It would make a key at each start, whether or not anybody can log in.
        services.Remove(services.Single(service => service.ServiceType == typeof(IHostedService)
            && service.ImplementationType?.Assembly == typeof(DataProtectionOptions).Assembly));
        services.AddSingleton<IConfigureOptions<OpenIdConnectOptions>, Login>();
    }
}
