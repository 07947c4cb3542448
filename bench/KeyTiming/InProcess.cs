using System.Diagnostics;
using System.Net;
using Gateway.Callers;
using Microsoft.AspNetCore.Http;

namespace Gateway.KeyTiming;

/// <summary>Measures identification alone, without a network, in nanoseconds per key.</summary>
internal sealed class InProcess(params Group<Func<HttpContext, Refusal>>[] groups)
    : Place<Func<HttpContext, Refusal>>(groups)
{
    // Several keys per measurement, because one takes about as long as reading the clock.
    private const int Keys = 8;

    private readonly HttpContext[] _requests = [.. Enumerable.Range(0, Keys).Select(_ => NewRequest())];
    private readonly Refusal[] _refusals = new Refusal[Keys];

    protected override double Time(Group<Func<HttpContext, Refusal>> group, KeyClass keys)
    {
        foreach (var request in _requests) request.Request.Headers["X-Api-Key"] = Pick(keys);
        var ask = group.Subject;

        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < _requests.Length; i++) _refusals[i] = ask(_requests[i]);
        // Ticks of the stopwatch; those of a TimeSpan are 100 ns.
        var took = Stopwatch.GetTimestamp() - started;

        foreach (var refusal in _refusals)
        {
            if (refusal == group.Family.Refusal) continue;
            throw new InvalidOperationException($"A key of the family '{group.Name}' was refused as {refusal}.");
        }
        return took * 1e9 / Stopwatch.Frequency / Keys;
    }

    private static DefaultHttpContext NewRequest()
    {
        var http = new DefaultHttpContext();
        http.Connection.RemoteIpAddress = IPAddress.Loopback;
        return http;
    }
}
