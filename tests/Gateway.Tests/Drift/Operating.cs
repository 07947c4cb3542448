using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Drift;

/// <summary>Reads the drift report and the metrics as an operator does.</summary>
internal static class Operating
{
    public static readonly Uri Path = new("admin/drift", UriKind.Relative);

    public static async Task<JsonElement> ReportAsync(GatewayNode node)
    {
        using var client = node.Client(("X-Api-Key", Purging.OperatorKey));
        return JsonElement.Parse(await client.GetStringAsync(Path, World.Cancellation));
    }

    /// <summary>Waits until exactly this many jobs were checked.</summary>
    public static async Task<JsonElement> CheckedAsync(GatewayNode node, int jobs)
    {
        var report = default(JsonElement);
        await Wait.UntilAsync(TimeSpan.FromSeconds(20),
            async () =>
                (report = await ReportAsync(node)).GetProperty("checked").GetInt32() >= jobs,
                $"{jobs} jobs are checked");
        Assert.Equal(jobs, report.GetProperty("checked").GetInt32());
        return report;
    }

    public static int Skipped(JsonElement report, string reason) =>
        report.GetProperty("skipped").GetProperty(reason).GetInt32();

    /// <summary>The findings as <c>pointer kind count</c>, in the order of the report.</summary>
    public static string[] Findings(JsonElement report) =>
        [.. report.GetProperty("findings").EnumerateArray()
            .Select(seen => $"{seen.GetProperty("pointer")} {seen.GetProperty("kind")} {seen.GetProperty("count")}")];

    /// <summary>Sums the measurements of a counter of one node by tags.</summary>
    public sealed class Measured : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentDictionary<string, long> _counts = new();

        /// <param name="first">Runs before each measurement, during a check.</param>
        public Measured(GatewayNode node, Action? first = null, string counter = "gateway.drift.jobs")
        {
            var factory = node.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == counter && instrument.Meter.Scope == factory)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            {
                first?.Invoke();
                _counts.AddOrUpdate(string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")), value,
                    (_, count) => instrument.IsObservable ? value : count + value);
            });
            _listener.Start();
        }

        public ConcurrentDictionary<string, long> Counts
        {
            get
            {
                _listener.RecordObservableInstruments();
                return _counts;
            }
        }

        public void Dispose() => _listener.Dispose();
    }
}
