using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Gateway.HitCost;

/// <summary>
/// What is put into a host, from outside, to measure it: connections without sockets, and a cost to see.
/// </summary>
internal sealed class Measured : IStartupFilter
{
    // Of the loop below.
    private const int InstructionsPerTurn = 4;

    private static int _turns, _lastTurn;

    public static MemoryTransport? Transport { get; private set; }

    /// <summary>
    /// Whether the last request was over when its handler returned, and so was executed by the thread that sent it.
    /// </summary>
    public static bool WasInline { get; private set; }

    /// <summary>Adds about so many instructions to each request.</summary>
    public static void Add(int instructions) => _turns = instructions / InstructionsPerTurn;

    public static void Add(IServiceCollection services) => services.AddSingleton<IStartupFilter, Measured>().AddSingleton<IConnectionListenerFactory>(
        provider => Transport = new MemoryTransport(provider.GetRequiredService<IMemoryPoolFactory<byte>>().Create()));

    /// <summary>
    /// Is put into the host that is built next, which tells of it as to any test of a whole application.
    /// </summary>
    public static void AddToNextHost() => DiagnosticListener.AllListeners.Subscribe(new Each<DiagnosticListener>(listener =>
    {
        if (listener.Name != "Microsoft.Extensions.Hosting") return;
        listener.Subscribe(new Each<KeyValuePair<string, object?>>(told =>
        {
            if (told is { Key: "HostBuilding", Value: IHostBuilder builder }) builder.ConfigureServices(Add);
        }));
    }));

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use((HttpContext http, RequestDelegate rest) =>
        {
            for (var turn = _turns; turn > 0; turn--) Volatile.Write(ref _lastTurn, turn);
            var answering = rest(http);
            WasInline = answering.IsCompletedSuccessfully;
            return answering;
        });
        next(app);
    };

    private sealed class Each<T>(Action<T> next) : IObserver<T>
    {
        public void OnNext(T value) => next(value);

        public void OnError(Exception error) { }

        public void OnCompleted() { }
    }
}
