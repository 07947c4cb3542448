using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;

namespace Gateway.SideBySide.Measuring;

/// <summary>Has a .NET process collect its garbage, all of it, so that what is left is in use.</summary>
internal static class Collection
{
    private const long HeapCollect = 0x800000;

    public static async Task ForceAsync(Child process, CancellationToken stop)
    {
        // Whoever listens for this asks for a collection by it.
        var provider = new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, HeapCollect);
        using var session = await new DiagnosticsClient(process.Id).StartEventPipeSessionAsync(provider, requestRundown: false, token: stop);
        var reading = session.EventStream.CopyToAsync(Stream.Null, stop);
        await Task.Delay(TimeSpan.FromSeconds(3), stop);
        await session.StopAsync(stop);
        await reading;
    }
}
