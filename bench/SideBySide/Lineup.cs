using Gateway.SideBySide.Peers;

namespace Gateway.SideBySide;

/// <summary>The peers, and how each is created.</summary>
internal static class Lineup
{
    public const string Gateway = "gateway";

    public static readonly string[] Names =
        ["kestrel", PlainKestrel.PeerName, "kestrel-redis", "nginx", "nginx-files", "varnish", "haproxy", "yarp",
            "yarp-output-cache", "yarp-output-cache-redis", Gateway];

    /// <summary>The requested peers of a scenario. Other gateways take part wherever the gateway does.</summary>
    public static IEnumerable<string> Of(Arguments arguments, params string[] names)
    {
        var asked = arguments.Peers.Length == 0 ? Names : arguments.Peers;
        var others = asked.Where(name => name.StartsWith(Arguments.OtherGateway, StringComparison.Ordinal));
        return names.Where(name => asked.Contains(name)).Concat(names.Contains(Gateway) ? others : []);
    }

    /// <summary>Creates a peer without starting it.</summary>
    public static Peer Create(Bench bench, string name) => name switch
    {
        "kestrel" => new Kestrel(bench),
        PlainKestrel.PeerName => new PlainKestrel(bench),
        "kestrel-redis" => new KestrelOverRedis(bench),
        "nginx" => new Nginx(bench, keepsFilesOpen: true),
        "nginx-files" => new Nginx(bench, keepsFilesOpen: false),
        "varnish" => new Varnish(bench),
        "haproxy" => new Haproxy(bench),
        "yarp" => new YarpPeer(bench, YarpPeer.Cache.None),
        "yarp-output-cache" => new YarpPeer(bench, YarpPeer.Cache.Memory),
        "yarp-output-cache-redis" => new YarpPeer(bench, YarpPeer.Cache.Redis),
        _ => CreateGateway(bench, name),
    };

    public static GatewayPeer CreateGateway(Bench bench, string name) =>
        name == Gateway ? new GatewayPeer(bench, name, bench.Arguments.Gateway)
            : new GatewayPeer(bench, name, Path.GetFullPath(name[Arguments.OtherGateway.Length..]));
}
