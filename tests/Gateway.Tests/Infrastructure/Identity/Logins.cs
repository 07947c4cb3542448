using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>Who is signed in at the provider, in which browser.</summary>
internal sealed class Logins
{
    private readonly ConcurrentDictionary<string, Login> _byCookie = new();

    public string Add(string user)
    {
        // Clients see the session's name, and must not be able to make a cookie of it.
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
