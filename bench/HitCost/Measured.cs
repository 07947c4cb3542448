using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Gateway.HitCost;

/// <summary>Instruments a host for measurement: connections without sockets, and an optional added cost.</summary>
internal sealed class Measured : IStartupFilter
{
    // The instructions of one iteration of the loop below.
    private const int InstructionsPerIteration = 4;

    private static int _iterations, _lastIteration;

    public static MemoryTransport? Transport { get; private set; }

    public static StoppableClock Clock { get; } = new();

    /// <summary>
    /// True if the last request completed before its handler returned, so it ran on the thread that sent it.
    /// </summary>
    public static bool WasInline { get; private set; }

    /// <summary>Adds about this number of instructions to each request.</summary>
    public static void Add(int instructions) => _iterations = instructions / InstructionsPerIteration;

    public static void Add(IServiceCollection services) => services.AddSingleton<IStartupFilter, Measured>()
        .AddSingleton<TimeProvider>(Clock)
        .AddSingleton<IConnectionListenerFactory>(
        provider => Transport = new MemoryTransport(provider.GetRequiredService<IMemoryPoolFactory<byte>>().Create()));

    /// <summary>
    /// Instruments the next host that is built, through the diagnostic event that host builders raise.
    /// </summary>
    public static void AddToNextHost() =>
        DiagnosticListener.AllListeners.Subscribe(new Each<DiagnosticListener>(listener =>
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
            for (var iteration = _iterations; iteration > 0; iteration--) Volatile.Write(ref _lastIteration, iteration);
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
