using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide.Peers;

/// <summary>Kestrel with default settings and a minimal part of the gateway's work.</summary>
internal sealed class PlainKestrel(Bench bench) : Peer(bench, PeerName)
{
    public const string PeerName = "kestrel-default";

    public override Uri? Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    protected override Task<Child> LaunchAsync() => Task.FromResult(SideBySide.Bench.StartSelf(
        Bench.Machine.ServerCore,
        [Serving.Plain, $"{Port}", $"{Http2Port}", Bench.Upstream.ToString(), SideBySide.Bench.Credential, Key]));
}
