using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// A real OpenID Connect provider in this process, on a real socket. Its address is known before it starts. It can be
/// stopped and started again at the same address with the same state.
/// </summary>
internal sealed class IdentityProvider : IAsyncDisposable
{
    public const string ClientId = "gateway", ClientSecret = "client-secret-0123456789";

    /// <summary>A client that signs in without a user, by client_credentials.</summary>
    public const string ServiceId = "batch", ServiceSecret = "service-secret-0123456789";

    /// <summary>The audience of access tokens.</summary>
    public const string Audience = "gateway-api";

    /// <summary>The lifetime of ID tokens.</summary>
    public static readonly TimeSpan IdTokenLifetime = TimeSpan.FromMinutes(20);

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<Uri, bool> _redirectUris = new(), _postLogoutRedirectUris = new();
    private WebApplication? _app;

    /// <param name="clock">The clock of the tokens, or null for the system clock.</param>
    /// <param name="https">The certificate for <c>localhost</c>; null for plain HTTP.</param>
    /// <param name="host">The address for plain HTTP.</param>
    public IdentityProvider(
        TimeProvider? clock = null, X509Certificate2? https = null, string host = "127.0.0.1")
    {
        (Clock, Https) = (clock ?? TimeProvider.System, https);
        var origin = https is null ? $"http://{host}" : "https://localhost";
        Address = new Uri($"{origin}:{ChildProcess.FreePort()}/");
    }

    public X509Certificate2? Https { get; }

    public static async Task<IdentityProvider> StartedAsync(TimeProvider? clock = null)
    {
        var provider = new IdentityProvider(clock);
        await provider.StartAsync();
        return provider;
    }

    public Uri Address { get; }

    /// <summary>The issuer; by default the address.</summary>
    public Uri Issuer { get => field ?? Address; init; }

    public TimeProvider Clock { get; }

    public SigningKeys Keys { get; } = new();

    /// <summary>Encrypts codes and refresh tokens, which only the provider reads.</summary>
    public SymmetricSecurityKey OwnKey { get; } = new(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    public IdentityLedger Ledger { get; } = new();

    public Logins Logins { get; } = new();

    public LogLines Log { get; } = new();

    /// <summary>Users by the name they type. A change of groups appears in the next tokens.</summary>
    public ConcurrentDictionary<string, User> Users { get; } =
        new(new[] { User.Alice, User.Bob, User.Carol, User.Dave }.ToDictionary(user => user.Name));

    /// <summary>Claims of the user info endpoint that add to or replace those of the tokens.</summary>
    public ConcurrentDictionary<string, object> UserInfo { get; } = new();

    public ImmutableArray<string> ServiceGroups { get; set; } = ["survey"];

    public TimeSpan AccessTokenLifetime { get; init; } = Lifetime;

    /// <summary>Whether clients may push their authorization requests (RFC 9126).</summary>
    public bool TakesPushedRequests { get; set; }

    private DateTimeOffset Now => Clock.GetUtcNow();

    public async Task StartAsync()
    {
        if (_app is not null) return;
        _app = IdentityServer.Build(this);
        await _app.StartAsync();
    }

    public async Task StopAsync()
    {
        if (_app is null) return;
        await _app.StopAsync();
        await _app.DisposeAsync();
        _app = null;
    }

    /// <summary>Registers the redirect URIs of a gateway.</summary>
    /// <param name="gateway">The address of the gateway, for example <c>https://localhost:12345/</c>.</param>
    public void Register(Uri gateway, string callback = "bff/callback", string loggedOut = "bff/logged-out")
    {
        _redirectUris[new Uri(gateway, callback)] = true;
        _postLogoutRedirectUris[new Uri(gateway, loggedOut)] = true;
    }

    public bool IsRedirectUri(string? uri) => _redirectUris.Keys.Any(known => known.AbsoluteUri == uri);

    public bool IsPostLogoutRedirectUri(string? uri) =>
        _postLogoutRedirectUris.Keys.Any(known => known.AbsoluteUri == uri);

    /// <summary>Starts to sign with a new key.</summary>
    /// <param name="keepOld">True to keep the old keys in the key set.</param>
    public void RotateSigningKey(bool keepOld = true)
    {
        Keys.Rotate(keepOld);
        if (_app is not null) IdentityServer.ReadKeysAgain(_app);
    }

    /// <summary>Creates an access token like those the provider issues, optionally changed.</summary>
    public string AccessToken(string user = "alice", Func<Jwt, Jwt>? change = null)
    {
        var jwt = NewJwt("at+jwt") with { Subject = Users[user].Subject, Audience = Audience };
        jwt = jwt.With("client_id", ClientId).With("scope", "openid").With("groups", Users[user].Groups);
        return (change?.Invoke(jwt) ?? jwt).Encode();
    }

    /// <summary>Creates a token for a client's back-channel logout endpoint.</summary>
    public string LogoutToken(string? subject = null, string? session = null, Func<Jwt, Jwt>? change = null)
    {
        var jwt = NewJwt("logout+jwt") with { Subject = subject, Audience = ClientId, NotBefore = null };
        jwt = jwt.With(
            "events",
            new Dictionary<string, object> { ["http://schemas.openid.net/event/backchannel-logout"] = new { } });
        if (session is not null) jwt = jwt.With("sid", session);
        return (change?.Invoke(jwt) ?? jwt).Encode();
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private Jwt NewJwt(string type) => new Jwt
    {
        Key = Keys.Current,
        KeyId = Keys.Current.KeyId,
        Type = type,
        Issuer = Issuer.AbsoluteUri,
        IssuedAt = Now,
        // The clock of the gateway may stand while a test runs.
        NotBefore = Now.AddMinutes(-5),
        Expires = Now + Lifetime,
    }.With("jti", $"{Guid.NewGuid():N}");
}
