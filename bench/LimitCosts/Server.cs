using System.Collections.Concurrent;
using Gateway.Limits;
using Gateway.Redis;
using Gateway.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.LimitCosts;

/// <summary>
/// A node in its own process that answers <c>/{way}/{quota}</c> with the bytes of a job, or with 429. The quota is
/// written as requests per minute and burst, for example <c>6000-600</c>.
/// </summary>
internal static class Server
{
    public const string None = "none", Leased = "leased", Asking = "asking";

    private static readonly byte[] Body = new byte[5 * 1024];

    public static async Task RunAsync(string redis, string address)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(address);
        builder.Services.Configure<ConnectionStringOptions>(options => options.Redis = redis);
        builder.Services.AddMetrics();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<SteadyClock>();
        builder.Services.AddSingleton<RedisMetrics>();
        builder.Services.AddSingleton<RedisConnection>();
        builder.Services.AddLimits();
        await using var app = builder.Build();

        var connection = app.Services.GetRequiredService<RedisConnection>();
        await connection.LinkAsync();
        connection.MarkAvailable();
        var (quotas, shared) = (app.Services.GetRequiredService<Quotas>(),
            app.Services.GetRequiredService<SharedQuotas>());
        var leased = new ConcurrentDictionary<string, Quota>();
        app.MapGet("/{way}/{quota}", async (HttpContext http, string way, string quota) =>
        {
            var numbers = quota.Split('-');
            var options = new QuotaOptions
            {
                Requests = int.Parse(numbers[0], null),
                Burst = int.Parse(numbers[1], null)
            };
            var admitted = way switch
            {
                None => true,
                Leased => await leased.GetOrAdd(quota, _ => quotas.For(Leased, quota, options)).TakeAsync(),
                _ => await shared.AskAsync($"asking/{quota}", Gcra.Of(options), wanted: 1, back: 0) is { Granted: 1 },
            };
            http.Response.StatusCode = admitted ? StatusCodes.Status200OK : StatusCodes.Status429TooManyRequests;
            if (admitted) await http.Response.BodyWriter.WriteAsync(Body);
        });
        await app.RunAsync();
    }
}
