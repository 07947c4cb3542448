using Gateway.HitCost;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

[assembly: HostingStartup(typeof(Measured))]

namespace Gateway.HitCost;

/// <summary>What is put into a host, from outside, to measure it: connections without sockets, and a cost to see.</summary>
internal sealed class Measured : IHostingStartup, IStartupFilter
{
    // Of the loop below.
    private const int InstructionsPerTurn = 4;

    private static int _turns;

    public static MemoryTransport? Transport { get; private set; }

    /// <summary>Whether the last request was over when its handler returned, and so was executed by the thread that sent it.</summary>
    public static bool WasInline { get; private set; }

    /// <summary>Adds about so many instructions to each request.</summary>
    public static void Add(int instructions) => _turns = instructions / InstructionsPerTurn;

    public void Configure(IWebHostBuilder builder) => builder.ConfigureServices(services =>
        services.AddSingleton<IStartupFilter>(this).AddSingleton<IConnectionListenerFactory>(
            provider => Transport = new MemoryTransport(provider.GetRequiredService<IMemoryPoolFactory<byte>>().Create())));

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use((HttpContext http, RequestDelegate rest) =>
        {
            for (var turn = _turns; turn > 0; turn--) Thread.MemoryBarrier();
            var answering = rest(http);
            WasInline = answering.IsCompletedSuccessfully;
            return answering;
        });
        next(app);
    };
}
