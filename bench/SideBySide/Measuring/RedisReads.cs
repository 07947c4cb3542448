using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Gateway.SideBySide.Measuring;

/// <summary>Counts the reads of a Redis.</summary>
internal static class RedisReads
{
    public static async Task<long> OfAsync(string address, CancellationToken stop)
    {
        var place = address.Split(':');
        using var client = new TcpClient();
        await client.ConnectAsync(place[0], int.Parse(place[1], CultureInfo.InvariantCulture), stop);
        await client.GetStream().WriteAsync("INFO stats\r\nQUIT\r\n"u8.ToArray(), stop);
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        var lines = (await reader.ReadToEndAsync(stop)).Split("\r\n");
        return lines.Where(line => line.StartsWith("keyspace_hits:", StringComparison.Ordinal)
            || line.StartsWith("keyspace_misses:", StringComparison.Ordinal))
            .Sum(line => long.Parse(line.Split(':')[1], CultureInfo.InvariantCulture));
    }
}
