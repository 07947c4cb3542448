using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace Gateway.Caching;

/// <summary>The reply to a node that wants to fetch a job for the whole cluster.</summary>
internal abstract record FetchLock
{
    // The prefixes of a lock's value. acquire-lock.lua describes the three forms.
    private const string OwnedPrefix = "o:", FailedPrefix = "f:", RefusedPrefix = "r:";

    /// <summary>
    /// The shortest time for which a result stays in Redis. Waiting nodes can then read it even with a lifetime of 0.
    /// </summary>
    public static readonly TimeSpan HandOver = TimeSpan.FromSeconds(1);

    // The rest of a lock's lifetime may be rounded up by this much.
    private static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    /// <summary>This node holds the lock until its lease ends, unless it is renewed.</summary>
    public sealed record Acquired(long Order, string Lock) : FetchLock;

    /// <summary>Another fetch is under way; <paramref name="Order"/> is its order.</summary>
    public sealed record HeldElsewhere(long Order, TimeSpan Left) : FetchLock;

    /// <summary>The last fetch failed, and the next may begin after its back-off.</summary>
    public sealed record FailedBefore(FailedFill Failure) : FetchLock;

    /// <summary>A newer snapshot than the caller knows was stored meanwhile.</summary>
    public sealed record NewerStored : FetchLock;

    /// <summary>The start of the value of a lock that a fetch holds. The order of the fetch follows.</summary>
    public static string Owner(string fetch) => $"{OwnedPrefix}{fetch}:";

    /// <summary>The value and the lifetime of the lock that a failed fetch leaves for other nodes.</summary>
    public static (string Value, TimeSpan Lifetime) Failed(long order, FailedFill failure)
    {
        var backsOff = failure.BackOff > TimeSpan.Zero;
        var value = $"{(backsOff ? FailedPrefix : RefusedPrefix)}{order}:{JsonSerializer.Serialize(failure)}";
        return (value, backsOff ? failure.BackOff : HandOver);
    }

    /// <summary>Whether the rest of a lock's lifetime exceeds the whole lifetime of such a lock.</summary>
    /// <param name="longest">
    /// How long a fetch may take. A node of an earlier version acquires its lock once, for that time.
    /// </param>
    public static bool IsOverdue(RedisResult reply, TimeSpan longest)
    {
        var (held, left) = ((string)reply[1]!, TimeSpan.FromMilliseconds((long)reply[2]));
        if (held.StartsWith(OwnedPrefix, StringComparison.Ordinal)) return left > longest + Rounding;
        var given = held.StartsWith(FailedPrefix, StringComparison.Ordinal) ? Parse(held)?.BackOff : HandOver;
        return left > given + Rounding;
    }

    /// <summary>Reads the reply of <c>acquire-lock.lua</c>.</summary>
    /// <param name="fetch">The name of the fetch for which the lock was asked.</param>
    public static FetchLock Read(RedisResult result, string fetch)
    {
        switch ((string?)result[0])
        {
            case "mine":
                return new Acquired(Number((string)result[1]!), $"{Owner(fetch)}{(string)result[1]!}");
            case "look":
                return new NewerStored();
        }
        var held = (string)result[1]!;
        var lasts = TimeSpan.FromMilliseconds(Math.Max(0, (long)result[2]) + 1);
        if (held.StartsWith(OwnedPrefix, StringComparison.Ordinal))
        {
            return new HeldElsewhere(Number(held[(held.LastIndexOf(':') + 1)..]), lasts);
        }
        return ReadFailure(held, lasts) is { } failure
            ? new FailedBefore(failure) : new HeldElsewhere(long.MaxValue, lasts);
    }

    /// <summary>Describes a lock for operators.</summary>
    /// <param name="held">The value of the lock.</param>
    /// <param name="left">The rest of its lifetime.</param>
    public static InspectedLock Describe(string held, TimeSpan left)
    {
        if (!held.StartsWith(OwnedPrefix, StringComparison.Ordinal))
        {
            var digits = held.IndexOf(':', FailedPrefix.Length) is var colon and > 0
                ? held[FailedPrefix.Length..colon] : "";
            return new InspectedLock(null, Number(digits), left, ReadFailure(held, left));
        }
        var end = held.LastIndexOf(':');
        var fetch = held[OwnedPrefix.Length..Math.Max(OwnedPrefix.Length, end)];
        var node = fetch.LastIndexOf('-') is var dash and > 0 ? fetch[..dash] : fetch;
        return new InspectedLock(node, Number(held[(end + 1)..]), left, null);
    }

    private static long Number(string digits) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : long.MaxValue;

    private static FailedFill? ReadFailure(string held, TimeSpan left)
    {
        if (Parse(held) is not { } failure) return null;
        var isBackOff = held.StartsWith(FailedPrefix, StringComparison.Ordinal);
        return isBackOff ? failure.Later(left) with { BackOff = left } : failure with { BackOff = TimeSpan.Zero };
    }

    private static FailedFill? Parse(string held)
    {
        var json = held.IndexOf(':', FailedPrefix.Length) + 1;
        try
        {
            return JsonSerializer.Deserialize<FailedFill>(held.AsSpan(json));
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A fetch lock in Redis.</summary>
/// <param name="Holder">The node that fetches; null if the last fetch failed.</param>
/// <param name="Order">The order of the fetch.</param>
/// <param name="Left">The rest of the lock's lifetime.</param>
/// <param name="Failure">The failure of the last fetch; null if a fetch is under way.</param>
internal sealed record InspectedLock(string? Holder, long Order, TimeSpan Left, FailedFill? Failure);
