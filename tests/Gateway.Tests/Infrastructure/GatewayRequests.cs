using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Jobs;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Counts the job requests and preflights that a gateway in this process has answered, by the server's own metric.
/// </summary>
internal sealed class GatewayRequests : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<(string Method, int Status)> _answered = new();
    private int _begun, _ended;

    public GatewayRequests(GatewayNode node)
    {
        var factory = node.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope != factory) return;
            if (instrument.Name is "http.server.request.duration" or "http.server.active_requests")
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, change, _, _) =>
        {
            if (change > 0) Interlocked.Increment(ref _begun);
        });
        _listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            var (method, status, route) = ("", 0, "");
            foreach (var (name, value) in tags)
            {
                if (name == "http.request.method") method = (string)value!;
                if (name == "http.response.status_code") status = (int)value!;
                if (name == "http.route") route = (string)value!;
            }
            if (route == JobAddress.Route || method == "OPTIONS") _answered.Enqueue((method, status));
            Interlocked.Increment(ref _ended);
        });
        _listener.Start();
    }

    /// <summary>
    /// The number of answered requests of a method, with any status or a given one. Waits first until each request that
    /// has begun is counted: the server counts a request after its client has the answer.
    /// </summary>
    public async Task<int> CountAsync(string method, int? status = null)
    {
        await Wait.UntilAsync(TimeSpan.FromSeconds(20),
            () => Volatile.Read(ref _begun) == Volatile.Read(ref _ended), "all requests are answered");
        return Answered(method, status);
    }

    /// <summary>The number of requests of a method that are answered so far, while others may last.</summary>
    public int SoFar(string method) => Answered(method, status: null);

    /// <summary>Waits until so many requests are answered, while others may still be waiting.</summary>
    public Task UntilAsync(int count, string method, int? status = null) => Wait.UntilAsync(
        TimeSpan.FromSeconds(20), () => Answered(method, status) >= count, $"{count} times {method} {status}");

    public void Dispose() => _listener.Dispose();

    private int Answered(string method, int? status) =>
        _answered.Count(one => one.Method == method && (status is null || one.Status == status));
}
