using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gateway.Callers.Sessions;

/// <summary>A login, stored on the server. The browser has only a random name for it.</summary>
/// <param name="Issuer">The identity provider.</param>
/// <param name="Claims">The user's claims at the login, or when the provider was last asked.</param>
/// <param name="Order">The order number of the login, by which logouts are compared with it.</param>
/// <param name="EndsAt">When the absolute lifetime ends.</param>
/// <param name="IdToken">The ID token for the provider's logout page; null if it is not kept.</param>
/// <param name="RefreshToken">Asks the provider about the session again; null if it is not kept.</param>
/// <param name="UserInfo">The claims that user info added; null if there are none.</param>
/// <param name="CheckedAt">When the provider was last asked; null if it is asked only at the login.</param>
internal sealed record Session(
    string Issuer, JsonElement Claims, long Order, DateTimeOffset EndsAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? IdToken = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? RefreshToken = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? CheckedAt = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string[]? UserInfo = null)
{
    private ClaimSet? _claims;
    private string[]? _marks;

    // A copy may have other claims, and a string must not contain tokens.
    private Session(Session other) =>
        (Issuer, Claims, Order, EndsAt, IdToken, RefreshToken, CheckedAt, UserInfo) = (other.Issuer, other.Claims,
            other.Order, other.EndsAt, other.IdToken, other.RefreshToken, other.CheckedAt, other.UserInfo);

    public override string ToString() => nameof(Session);

    public ClaimSet ClaimSet() => _claims ??= new ClaimSet(Claims);

    /// <summary>The marks that end the session: the user's, and the login's.</summary>
    public string[] Marks() => _marks ??=
    [
        Mark(Issuer, ClaimSet().Subject, null),
        .. ClaimSet().Values("sid").Select(login => Mark(Issuer, null, login)),
    ];

    /// <summary>
    /// Returns the mark of a login, or of all logins of a user. The mark is a hash, because names of Redis keys are
    /// seen in more places than values.
    /// </summary>
    public static string Mark(string issuer, string? subject, string? login)
    {
        var name = login is not null ? $"sid\n{issuer}\n{login}" : $"sub\n{issuer}\n{subject}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }

    /// <summary>Reads a value of <see cref="Serialize"/>. Returns null for any other value.</summary>
    public static Session? Parse(byte[] stored)
    {
        try
        {
            var session = JsonSerializer.Deserialize<Session>(stored);
            return session is { Issuer: not null, Claims.ValueKind: JsonValueKind.Object } ? session : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public byte[] Serialize() => JsonSerializer.SerializeToUtf8Bytes(this);
}
