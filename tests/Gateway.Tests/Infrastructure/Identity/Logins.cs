using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>The logins at the provider, by browser cookie.</summary>
internal sealed class Logins
{
    private readonly ConcurrentDictionary<string, Login> _byCookie = new();

    public string Add(string user)
    {
        // Clients see the session id, so it must not be usable as the cookie.
        var (cookie, session) = ($"{Guid.NewGuid():N}", $"{Guid.NewGuid():N}");
        _byCookie[cookie] = new Login(user, session);
        return cookie;
    }

    public bool TryGet(string? cookie, [NotNullWhen(true)] out Login? login) =>
        (login = cookie is null ? null : _byCookie.GetValueOrDefault(cookie)) is not null;

    public bool IsActive(string? session) => _byCookie.Values.Any(login => login.Session == session);

    /// <returns>The sessions that have ended.</returns>
    public IReadOnlyList<string> End(Func<Login, bool> which)
    {
        List<string> ended = [];
        foreach (var (cookie, login) in _byCookie)
        {
            if (which(login) && _byCookie.TryRemove(cookie, out _)) ended.Add(login.Session);
        }
        return ended;
    }

    internal sealed record Login(string User, string Session);
}
