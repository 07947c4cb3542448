using System.Globalization;

namespace Gateway.SideBySide.Servers;

/// <summary>The servers that this program runs as with the command <c>serve</c>.</summary>
internal static class Serving
{
    public const string Verb = "serve", Floor = "floor", Plain = "plain", FloorOfRedis = "floor-of-redis",
        Upstream = "upstream", Yarp = "yarp";

    /// <exception cref="ArgumentException">The server is unknown.</exception>
    public static Task RunAsync(string[] args) => args switch
    {
        [Floor, var port, var http2Port] => Servers.Floor.RunAsync(Number(port), Number(http2Port)),
        [Plain, var port, var http2Port, var upstream, var credential, var key] =>
            Servers.Plain.RunAsync(Number(port), Number(http2Port), new Uri(upstream), credential, key),
        [FloorOfRedis, var port, var redis] => Servers.FloorOfRedis.RunAsync(Number(port), redis),
        [Upstream, var port, var credential] => Servers.Upstream.RunAsync(Number(port), credential),
        [Yarp, var port, var upstream, var credential, var cache, .. var keys] =>
            Servers.Yarp.RunAsync(Number(port), upstream, credential, cache, keys),
        _ => throw new ArgumentException($"There is no server '{string.Join(' ', args)}'."),
    };

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
