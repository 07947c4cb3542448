using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Encrypts the tokens that a session keeps, with the keys that all nodes share. They are readable neither in a stored
/// session alone nor in a dump of the process that lacks the keys.
/// </summary>
internal sealed class SessionTokens(IDataProtectionProvider provider)
{
    private readonly Lazy<IDataProtector> _protector = new(() => provider.CreateProtector("gateway.session-tokens"));

    public string Protect(string token) => _protector.Value.Protect(token);

    /// <returns>Null if there is no token, or its key no longer exists.</returns>
    public string? Unprotect(string? kept)
    {
        try
        {
            return kept is null ? null : _protector.Value.Unprotect(kept);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
