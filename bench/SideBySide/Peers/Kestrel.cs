using Gateway.SideBySide.Measuring;
using Gateway.SideBySide.Servers;

namespace Gateway.SideBySide.Peers;

/// <summary>The lower bound: writes constant bytes and does nothing else.</summary>
internal sealed class Kestrel(Bench bench) : Peer(bench, "kestrel")
{
    public override Uri? Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    public override bool ChecksKeys => false;

    public override bool AsksUpstream => false;

    protected override Task<Child> LaunchAsync() =>
        Task.FromResult(
            SideBySide.Bench.StartSelf(Bench.Machine.ServerCore, [Serving.Floor, $"{Port}", $"{Http2Port}"]));
}
