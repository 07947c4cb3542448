using System.Collections.Concurrent;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>Records the requests to a provider and the tokens it issued, in order.</summary>
internal sealed class IdentityLedger
{
    private readonly ConcurrentQueue<TokenCall> _tokenCalls = new();
    private readonly ConcurrentQueue<EndSessionCall> _endSessionCalls = new();
    private readonly ConcurrentQueue<string> _idTokens = new(), _accessTokens = new(), _refreshTokens = new(),
        _codes = new();
    private readonly ConcurrentDictionary<string, bool> _spent = new();
    private readonly ConcurrentDictionary<string, int> _requests = new();

    public IReadOnlyList<TokenCall> TokenCalls => [.. _tokenCalls];

    public IReadOnlyList<EndSessionCall> EndSessionCalls => [.. _endSessionCalls];

    public IReadOnlyList<string> IdTokens => [.. _idTokens];

    public IReadOnlyList<string> AccessTokens => [.. _accessTokens];

    public IReadOnlyList<string> RefreshTokens => [.. _refreshTokens];

    /// <summary>Authorization codes. Browsers carry them, and each is valid once.</summary>
    public IReadOnlyList<string> Codes => [.. _codes];

    /// <summary>All tokens, which no browser may see.</summary>
    public IReadOnlyList<string> Tokens => [.. _idTokens, .. _accessTokens, .. _refreshTokens];

    public int DiscoveryRequests => Requests(Endpoint.Discovery);

    public int KeyRequests => Requests(Endpoint.Keys);

    public int UserInfoRequests => Requests(Endpoint.UserInfo);

    public int AuthorizationRequests => Requests(Endpoint.Authorization);

    /// <summary>The number of requests for a path, with any result.</summary>
    public int Requests(string path) => _requests.GetValueOrDefault(path);

    public void AddRequest(string path) => _requests.AddOrUpdate(path, 1, (_, count) => count + 1);

    public void Add(TokenCall call, string? idToken, string? accessToken, string? refreshToken)
    {
        _tokenCalls.Enqueue(call);
        if (idToken is not null) _idTokens.Enqueue(idToken);
        if (accessToken is not null) _accessTokens.Enqueue(accessToken);
        if (refreshToken is not null) _refreshTokens.Enqueue(refreshToken);
    }

    public void Add(EndSessionCall call) => _endSessionCalls.Enqueue(call);

    public void AddCode(string code) => _codes.Enqueue(code);

    /// <returns>False if the code or token was spent before.</returns>
    public bool Spend(string codeOrRefreshToken) => _spent.TryAdd(codeOrRefreshToken, true);

    /// <param name="Error">The error code, or null if tokens were issued.</param>
    internal sealed record TokenCall(string? GrantType, string? ClientId, string? Error);

    /// <param name="Session">The session of the browser or else of the hint, or null if both are unknown.</param>
    internal sealed record EndSessionCall(
        string? IdTokenHint, string? PostLogoutRedirectUri, string? State, string? Session);
}
