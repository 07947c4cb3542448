using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;

namespace Gateway.SideBySide.Measuring;

/// <summary>Makes a .NET process collect all garbage, so that the remaining memory is in use.</summary>
internal static class Collection
{
    private const long HeapCollect = 0x800000;

    public static async Task ForceAsync(Child process, CancellationToken stop)
    {
        // Enabling this event provider requests a collection.
        var provider = new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, HeapCollect);
        using var session = await new DiagnosticsClient(process.Id)
            .StartEventPipeSessionAsync(provider, requestRundown: false, token: stop);
        var reading = session.EventStream.CopyToAsync(Stream.Null, stop);
        await Task.Delay(TimeSpan.FromSeconds(3), stop);
        await session.StopAsync(stop);
        await reading;
    }
}
