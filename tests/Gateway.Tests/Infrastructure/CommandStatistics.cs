using System.Globalization;

namespace Gateway.Tests.Infrastructure;

/// <summary>The number of commands that a Redis has processed, from its <c>INFO commandstats</c>.</summary>
internal static class CommandStatistics
{
    public static Task ResetAsync(OwnRedis redis) => redis.CommandAsync("CONFIG", "RESETSTAT");

    /// <summary>The calls of these lower-case commands since the last reset.</summary>
    public static async Task<int> CountAsync(OwnRedis redis, params string[] commands)
    {
        var lines = ((string)(await redis.CommandAsync("INFO", "commandstats"))!).Split("\r\n");
        return commands.Sum(command => lines
            .Where(line => line.StartsWith($"cmdstat_{command}:calls=", StringComparison.Ordinal))
            .Sum(line => int.Parse(line.Split('=')[1].Split(',')[0], CultureInfo.InvariantCulture)));
    }
}
