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

    public GatewayRequests(GatewayNode node)
    {
        var factory = node.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name != "http.server.request.duration" || instrument.Meter.Scope != factory) return;
            listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            var (method, status, route) = ("", 0, "");
            foreach (var (name, value) in tags)
            {
                if (name == "http.request.method") method = (string)value!;
                if (name == "http.response.status_code") status = (int)value!;
                if (name == "http.route") route = (string)value!;
            }
            if (route != JobAddress.Route && method != "OPTIONS") return;
            _answered.Enqueue((method, status));
        });
        _listener.Start();
    }

    /// <summary>The number of answered requests of a method, with any status or a given one.</summary>
    public int Count(string method, int? status = null) =>
        _answered.Count(one => one.Method == method && (status is null || one.Status == status));

    /// <summary>Waits for a count: the server counts a request after its client has the answer.</summary>
    public Task UntilAsync(int count, string method, int? status = null) => Purging.WithinAsync(
        TimeSpan.FromSeconds(20), () => Count(method, status) >= count, $"{count} times {method} {status}");

    public void Dispose() => _listener.Dispose();
}
