using Microsoft.AspNetCore.Http.Features;
using StackExchange.Redis;

namespace Gateway.SideBySide.Servers;

/// <summary>
/// Bare Kestrel that reads one field from Redis for every request and sends it: the lower bound for answers out of
/// Redis.
/// </summary>
internal static class FloorOfRedis
{
    private static readonly RedisKey Key = "floor";
    private static readonly RedisValue Field = "data";

    public static async Task RunAsync(int port, string redis)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis);
        var database = connection.GetDatabase();
        await database.HashSetAsync(Key, Field, new JobDocument(Jobs.Workflow).Of(Jobs.Hit));
        await BareKestrel.RunAsync(port, http2Port: 0, async http =>
        {
            var body = (byte[])(await database.HashGetAsync(Key, Field))!;
            var response = http.GetRequiredFeature<IHttpResponseFeature>();
            response.Headers.ETag = Floor.ETag;
            response.Headers.ContentType = "application/json";
            response.Headers.ContentLength = body.Length;
            await BareKestrel.WriteAsync(http, body.Length, body, (to, from) => from.CopyTo(to));
        });
    }
}
