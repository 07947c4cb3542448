using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Gateway.Callers.Sessions;

/// <summary>A login, as it is kept on the server. The browser has but a random name for it.</summary>
/// <param name="Issuer">Who vouches for it.</param>
/// <param name="Claims">What the provider said of the user, at the login.</param>
/// <param name="Order">When its login began, among the logouts of all nodes.</param>
/// <param name="EndsAt">When it ends, come what may.</param>
internal sealed record Session(string Issuer, JsonElement Claims, long Order, DateTimeOffset EndsAt)
{
    private ClaimSet? _claims;
    private string[]? _marks;

    public ClaimSet ClaimSet() => _claims ??= new ClaimSet(Claims);

    /// <summary>The names under which the provider may end it: its user's, and its login's.</summary>
    public string[] Marks() => _marks ??=
    [
        Mark(Issuer, ClaimSet().Subject, null),
        .. ClaimSet().Values("sid").Select(login => Mark(Issuer, null, login)),
    ];

    /// <summary>
    /// The name of a login, or else of all of a user's. Names are hashed, for more people see them than see values.
    /// </summary>
    public static string Mark(string issuer, string? subject, string? login)
    {
        var name = login is not null ? $"sid\n{issuer}\n{login}" : $"sub\n{issuer}\n{subject}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }

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
