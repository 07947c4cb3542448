using System.Runtime.CompilerServices;
using Gateway.Callers;
using Gateway.Callers.Sessions;
using Gateway.Callers.Tokens;
using Gateway.Redis;
using Gateway.Upstream;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.Commands;

/// <summary>
/// The part of <c>check --online</c> that asks the servers that a configuration names. Each is asked for at most 10
/// seconds, and nothing is started.
/// </summary>
internal static class OnlineCheck
{
    private static readonly TimeSpan LongestCheck = TimeSpan.FromSeconds(10);

    /// <summary>Prints a line for each check.</summary>
    /// <param name="services">The services of a gateway that is not started.</param>
    /// <param name="output">Receives the lines.</param>
    /// <param name="cancellation">Ends the checks.</param>
    /// <returns>Whether nothing failed.</returns>
    public static async Task<bool> RunAsync(
        IServiceProvider services, TextWriter output, CancellationToken cancellation)
    {
        var isFine = true;
        await foreach (var (what, problem) in All(services, cancellation))
        {
            isFine &= problem is null;
            var line = problem is null ? $"ok      {what}" : $"FAILED  {what}: {problem}";
            await output.WriteLineAsync(line.ReplaceLineEndings(" "));
        }
        return isFine;
    }

    private static async IAsyncEnumerable<(string What, string? Problem)> All(
        IServiceProvider services, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var upstream = ActivatorUtilities.CreateInstance<UpstreamProbe>(services);
        await foreach (var line in upstream.RunAsync(cancellation)) yield return line;

        var redis = ActivatorUtilities.CreateInstance<RedisProbe>(services);
        if (redis.IsConfigured)
        {
            await foreach (var line in redis.RunAsync(cancellation)) yield return line;
        }

        var (jwt, oidc) = services.GetRequiredService<IOptionsMonitor<AuthenticationOptions>>().CurrentValue
            is var options ? (options.Jwt, options.Oidc) : default;
        foreach (var (key, named) in jwt.Providers)
        {
            yield return await ProviderAsync(key, named, cancellation);
        }
        if (oidc.IsConfigured)
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            deadline.CancelAfter(LongestCheck);
            yield return ($"Authentication:Oidc: identity provider {oidc.Authority}, client {oidc.ClientId}",
                await services.GetRequiredService<LoginProbe>().RunAsync(deadline.Token));
        }
    }

    private static async Task<(string What, string? Problem)> ProviderAsync(
        string section, JwtProviderOptions named, CancellationToken cancellation)
    {
        using var provider = new ProviderConfiguration(
            section, named.Authority, named.MetadataAddress, named.RequireHttpsMetadata, () => named.TlsFiles(section),
            TimeProvider.System, NullLogger<ProviderConfiguration>.Instance, named.InternalAddress);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(LongestCheck);
        return ($"{section}: identity provider {named.Authority}", await provider.TryAsync(deadline.Token));
    }
}
