using System.Text.Json;

namespace Gateway.Callers.Sessions;

/// <summary>A login, as it is kept on the server. The browser has but a random name for it.</summary>
/// <param name="Issuer">Who vouches for it.</param>
/// <param name="Claims">What the provider said of the user, at the login.</param>
/// <param name="StartedAt">When the login was.</param>
/// <param name="EndsAt">When it ends, come what may.</param>
internal sealed record Session(string Issuer, JsonElement Claims, DateTimeOffset StartedAt, DateTimeOffset EndsAt)
{
    private ClaimSet? _claims;

    public ClaimSet ClaimSet() => _claims ??= new ClaimSet(Claims);

    /// <summary>Reads what <see cref="Serialize"/> wrote; null where it is something else.</summary>
    public static Session? Parse(byte[] stored)
    {
        try
        {
            return JsonSerializer.Deserialize<Session>(stored) is { Issuer: not null, Claims.ValueKind: JsonValueKind.Object } session ? session : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public byte[] Serialize() => JsonSerializer.SerializeToUtf8Bytes(this);
}
