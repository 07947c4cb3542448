using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// A real OpenID Connect provider in this process, on a real socket. Its address is known before it starts; it may be
/// stopped and started again there, and then knows what it knew before.
/// </summary>
internal sealed class IdentityProvider : IAsyncDisposable
{
    public const string ClientId = "gateway", ClientSecret = "client-secret-0123456789";

    /// <summary>A program that signs in with no user, by client_credentials.</summary>
    public const string ServiceId = "batch", ServiceSecret = "service-secret-0123456789";

    /// <summary>Whom access tokens are for.</summary>
    public const string Audience = "gateway-api";

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<Uri, bool> _redirectUris = new(), _postLogoutRedirectUris = new();
    private WebApplication? _app;

    /// <param name="clock">What its tokens go by; null for the system's.</param>
    public IdentityProvider(TimeProvider? clock = null)
    {
        Clock = clock ?? TimeProvider.System;
        Address = new Uri($"http://127.0.0.1:{ChildProcess.FreePort()}/");
    }

    public static async Task<IdentityProvider> StartedAsync(TimeProvider? clock = null)
    {
        var provider = new IdentityProvider(clock);
        await provider.StartAsync();
        return provider;
    }

    /// <summary>The issuer.</summary>
    public Uri Address { get; }

    public TimeProvider Clock { get; }

    public SigningKeys Keys { get; } = new();

    /// <summary>Encrypts what only the provider reads: codes and refresh tokens.</summary>
    public SymmetricSecurityKey OwnKey { get; } = new(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    public IdentityLedger Ledger { get; } = new();

    public Logins Logins { get; } = new();

    public LogLines Log { get; } = new();

    /// <summary>By the name they type. Groups that change here are in the next tokens.</summary>
    public ConcurrentDictionary<string, User> Users { get; } =
        new(new[] { User.Alice, User.Bob, User.Carol, User.Dave }.ToDictionary(user => user.Name));

    /// <summary>What the user info says of everybody, beside what tokens say or other than they do.</summary>
    public ConcurrentDictionary<string, object> UserInfo { get; } = new();

    public ImmutableArray<string> ServiceGroups { get; set; } = ["survey"];

    public TimeSpan AccessTokenLifetime { get; init; } = Lifetime;

    /// <summary>Whether clients may push their authorization requests (RFC 9126).</summary>
    public bool TakesPushedRequests { get; init; }

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

    /// <summary>Lets a gateway send users here.</summary>
    /// <param name="gateway">Such as <c>https://localhost:12345/</c>.</param>
    public void Register(Uri gateway, string callback = "bff/callback", string loggedOut = "bff/logged-out")
    {
        _redirectUris[new Uri(gateway, callback)] = true;
        _postLogoutRedirectUris[new Uri(gateway, loggedOut)] = true;
    }

    public bool IsRedirectUri(string? uri) => _redirectUris.Keys.Any(known => known.AbsoluteUri == uri);

    public bool IsPostLogoutRedirectUri(string? uri) => _postLogoutRedirectUris.Keys.Any(known => known.AbsoluteUri == uri);

    /// <summary>Signs with a new key from now on.</summary>
    /// <param name="keepOld">Whether the key set still has the old ones.</param>
    public void RotateSigningKey(bool keepOld = true)
    {
        Keys.Rotate(keepOld);
        if (_app is not null) IdentityServer.ReadKeysAgain(_app);
    }

    /// <summary>An access token for an API, like those the provider gives away unless it is changed.</summary>
    public string AccessToken(string user = "alice", Func<Jwt, Jwt>? change = null)
    {
        var jwt = NewJwt("at+jwt") with { Subject = Users[user].Subject, Audience = Audience };
        jwt = jwt.With("client_id", ClientId).With("scope", "openid").With("groups", Users[user].Groups);
        return (change?.Invoke(jwt) ?? jwt).Encode();
    }

    /// <summary>A token that the provider sends to a client's back-channel logout endpoint.</summary>
    public string LogoutToken(string? subject = null, string? session = null, Func<Jwt, Jwt>? change = null)
    {
        var jwt = NewJwt("logout+jwt") with { Subject = subject, Audience = ClientId, NotBefore = null };
        jwt = jwt.With("events", new Dictionary<string, object> { ["http://schemas.openid.net/event/backchannel-logout"] = new { } });
        if (session is not null) jwt = jwt.With("sid", session);
        return (change?.Invoke(jwt) ?? jwt).Encode();
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private Jwt NewJwt(string type) => new Jwt
    {
        Key = Keys.Current,
        KeyId = Keys.Current.KeyId,
        Type = type,
        Issuer = Address.AbsoluteUri,
        IssuedAt = Now,
        NotBefore = Now,
        Expires = Now + Lifetime,
    }.With("jti", $"{Guid.NewGuid():N}");
}
