using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.IdentityModel.Tokens;
using Microsoft.Playwright;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// An OpenID Connect provider that is certified, from npm (<c>oidc-provider</c>), as a process. Users log in with any
/// password. It can be stopped and started again at the same address; it then has forgotten its sessions.
/// </summary>
internal sealed partial class CertifiedProvider : IAsyncDisposable
{
    public const string ClientId = "gateway", ClientSecret = "client+secret/with:signs&0123456789";

    private static readonly NpmFolder Packages = new("tests", "Gateway.Tests", "Infrastructure", "Identity", "Node");

    private readonly int _port = ChildProcess.FreePort();
    private readonly List<object> _keys = [];
    private readonly string _state = Path.GetTempFileName();
    private readonly Dictionary<string, int> _failing = [];
    private readonly Dictionary<string, string[]> _groupsOf = [];
    private ChildProcess? _process;

    public CertifiedProvider()
    {
        Issuer = Listens.AbsoluteUri.TrimEnd('/');
        AddKey();
        SetGroups("alice", "mapping");
        SetGroups("bob", "survey");
    }

    /// <summary>The address at which the provider listens.</summary>
    public Uri Listens => new(Https is null ? $"http://127.0.0.1:{_port}/" : $"https://localhost:{_port}/");

    /// <summary>The issuer, which has another name than the address in some tests.</summary>
    public string Issuer { get; set; }

    /// <summary>The metadata of the client, in addition to its id, secret and addresses.</summary>
    public Dictionary<string, object> Client { get; } = [];

    /// <summary>The features of the provider that differ from its defaults.</summary>
    public Dictionary<string, object> Features { get; } = [];

    public bool GivesRefreshTokens { get; set; } = true;

    /// <summary>The audience of the access tokens that the client gets by itself; null: it gets none.</summary>
    public string? Audience { get; set; }

    /// <summary>Whether each refresh token works once.</summary>
    public bool RotatesRefreshTokens { get; set; }

    /// <summary>Makes an endpoint fail from now on; null: it works again.</summary>
    public void Fail(string path, int? status)
    {
        if (status is { } failing) _failing[path] = failing;
        else _failing.Remove(path);
        WriteState();
    }

    /// <summary>Changes the groups of a user, for the next tokens.</summary>
    public void SetGroups(string user, params string[] groups)
    {
        _groupsOf[user] = groups;
        WriteState();
    }

    /// <summary>The files of the certificate and its key; null for plain http.</summary>
    public (string Certificate, string Key)? Https { get; private set; }

    /// <summary>Makes the provider use https.</summary>
    public void UseHttps((string Certificate, string Key) files)
    {
        Https = files;
        Issuer = Listens.AbsoluteUri.TrimEnd('/');
    }

    public string Output => _process?.Output ?? "";

    /// <summary>Settings for browser sessions with this provider. Groups have the names of teams.</summary>
    public (string Key, string? Value)[] Settings(params (string Key, string? Value)[] others) =>
    [
        ("Authentication:Oidc:Authority", Issuer),
        ("Authentication:Oidc:ClientId", ClientId),
        ("Authentication:Oidc:ClientSecret", ClientSecret),
        ("Authentication:Oidc:RequireHttpsMetadata", Https is null ? "false" : "true"),
        ("Teams:mapping:Claims:groups:0", "mapping"), ("Teams:survey:Claims:groups:0", "survey"), .. others,
    ];

    /// <summary>Registers the addresses of a gateway.</summary>
    public void Register(Uri gateway)
    {
        Client["redirect_uris"] = new[] { new Uri(gateway, "bff/callback").AbsoluteUri };
        Client["post_logout_redirect_uris"] = new[] { new Uri(gateway, "bff/logged-out").AbsoluteUri };
        Client["backchannel_logout_uri"] = new Uri(gateway, "bff/backchannel-logout").AbsoluteUri;
        Client["backchannel_logout_session_required"] = true;
    }

    /// <summary>Starts the provider, and waits until it answers. Skips the test if there is no npm.</summary>
    public async Task StartAsync()
    {
        await Packages.NeedAsync();
        var client = new Dictionary<string, object>(Client) { ["client_id"] = ClientId };
        var method = client.GetValueOrDefault("token_endpoint_auth_method") as string;
        if (method != "private_key_jwt") client["client_secret"] = ClientSecret;
        var configuration = JsonSerializer.Serialize(new
        {
            issuer = Issuer,
            port = _port,
            stateFile = _state,
            client,
            keys = _keys,
            features = Features,
            audience = Audience,
            refreshTokens = GivesRefreshTokens,
            rotates = RotatesRefreshTokens,
            certificate = Https?.Certificate,
            key = Https?.Key,
        });
        _process = new ChildProcess("node", [Path.Combine(Packages.Path, "provider.mjs")],
            new() { ["PROVIDER"] = configuration });
        await _process.UntilAsync(() => Task.FromResult(Output.Contains("listening", StringComparison.Ordinal)));
    }

    public async Task StopAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Adds a signing key before the others, which makes it the current one at the next start.</summary>
    public void AddKey()
    {
        using var rsa = RSA.Create(2048);
        var key = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(rsa.ExportParameters(true)));
        _keys.Insert(0, new
        {
            kty = "RSA",
            use = "sig",
            alg = "RS256",
            kid = Guid.NewGuid().ToString("N"),
            n = key.N,
            e = key.E,
            d = key.D,
            p = key.P,
            q = key.Q,
            dp = key.DP,
            dq = key.DQ,
            qi = key.QI,
        });
    }

    /// <summary>Removes the RSA keys.</summary>
    public void RemoveKeys() => _keys.Clear();

    /// <summary>Removes all keys but the current one.</summary>
    public void RemoveOldKeys() => _keys.RemoveRange(1, _keys.Count - 1);

    /// <summary>Logs in, and returns the gateway's answer to the callback.</summary>
    public async Task<HttpResponseMessage> LogInAsync(Visitor visitor, Uri gateway, string user = "alice",
        string query = "?returnUrl=/app")
    {
        using var sent = await visitor.GetAsync(new Uri(gateway, "bff/login" + query));
        Assert.True(sent.StatusCode == HttpStatusCode.Redirect,
            await sent.Content.ReadAsStringAsync(World.Cancellation));
        return await visitor.GetAsync(await AuthorizeAsync(visitor, sent.Headers.Location!, user));
    }

    /// <summary>Signs in on the provider's pages, and agrees to all they ask.</summary>
    /// <returns>The address to which the provider sends the browser.</returns>
    public async Task<Uri> AuthorizeAsync(Visitor visitor, Uri authorize, string user)
    {
        var address = authorize;
        for (var i = 0; i < 20; i++)
        {
            if (address.Authority != Listens.Authority) return address;
            using var answer = await visitor.GetAsync(address);
            if (answer.Headers.Location is { } next)
            {
                address = new Uri(address, next);
                continue;
            }
            var html = await answer.Content.ReadAsStringAsync(World.Cancellation);
            Assert.True(answer.StatusCode == HttpStatusCode.OK, html);
            using var form = new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["prompt"] = Prompt().Match(html).Groups[1].Value,
                ["login"] = user,
                ["password"] = "any",
            });
            using var sent = await visitor.SendAsync(
                HttpMethod.Post, new Uri(address, Target().Match(html).Groups[1].Value), form);
            address = new Uri(address, sent.Headers.Location!);
        }
        throw new InvalidOperationException("The provider does not come to an end.");
    }

    /// <summary>Signs in on the provider's pages in a real browser, and agrees to what they ask.</summary>
    public static async Task SignInAsync(IPage page, string user)
    {
        Assert.True(await page.IsVisibleAsync("[name=login]"), page.Url + await page.ContentAsync());
        await page.FillAsync("[name=login]", user);
        await page.FillAsync("[name=password]", "any");
        await page.ClickAsync("button[type=submit]");
        await page.WaitForSelectorAsync(
            "[name=prompt][value=consent]", new() { State = WaitForSelectorState.Attached });
        await page.ClickAsync("button[type=submit]");
    }

    /// <summary>Cancels on the provider's login page.</summary>
    /// <returns>The address to which the provider sends the browser.</returns>
    public async Task<Uri> CancelAsync(Visitor visitor, Uri authorize)
    {
        using var page = await visitor.GetAsync(authorize);
        var address = new Uri(authorize, page.Headers.Location! + "/abort");
        while (address.Authority == Listens.Authority)
        {
            using var answer = await visitor.GetAsync(address);
            address = new Uri(address, answer.Headers.Location!);
        }
        return address;
    }

    /// <summary>Gets an access token for the client itself (RFC 6749, section 4.4).</summary>
    public async Task<string> AccessTokenAsync()
    {
        using var client = new HttpClient { BaseAddress = Listens };
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = "jobs:read",
            ["client_id"] = ClientId,
            ["client_secret"] = ClientSecret,
        });
        using var answer = await client.PostAsync(new Uri("token", UriKind.Relative), form, World.Cancellation);
        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.True(answer.IsSuccessStatusCode, $"{body}\n{Output}");
        return JsonElement.Parse(body).GetProperty("access_token").GetString()!;
    }

    /// <summary>Logs out on the provider's page, which asks for a confirmation.</summary>
    /// <param name="page">The page for logouts; null: that without parameters.</param>
    /// <returns>The address to which the provider sends the browser; null if it sends it nowhere.</returns>
    public async Task<Uri?> LogOutAsync(Visitor visitor, Uri? page = null)
    {
        page ??= new Uri(Listens, "session/end");
        using var question = await visitor.GetAsync(page);
        var html = await question.Content.ReadAsStringAsync(World.Cancellation);
        Assert.True(question.StatusCode == HttpStatusCode.OK, html);
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["xsrf"] = html.Split("name=\"xsrf\" value=\"")[1].Split('"')[0],
            ["logout"] = "yes",
        });
        using var answer = await visitor.SendAsync(HttpMethod.Post, new Uri(Listens, "session/end/confirm"), form);
        var next = answer.Headers.Location is { } location ? new Uri(page, location) : null;
        return next?.Authority == Listens.Authority ? null : next;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        File.Delete(_state);
    }

    private void WriteState() =>
        File.WriteAllText(_state, JsonSerializer.Serialize(new { groups = _groupsOf, failing = _failing }));

    [GeneratedRegex("name=\"prompt\" value=\"([a-z]+)\"")]
    private static partial Regex Prompt();

    [GeneratedRegex("action=\"([^\"]+)\"")]
    private static partial Regex Target();
}
