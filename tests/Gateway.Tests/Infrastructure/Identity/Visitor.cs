using System.Net;
using System.Text.Json;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// A browser in a login that a test controls: it follows redirects and keeps cookies, but applies no cookie rules.
/// </summary>
internal sealed class Visitor : IDisposable
{
    public const string SessionCookie = "__Host-Http-gateway";

    private readonly HttpClient _client = new(new Canary.Handler());
    private readonly Dictionary<(string Host, string Name), string> _cookies = [];

    /// <summary>The <c>Set-Cookie</c> lines of all answers so far.</summary>
    public List<string> SetCookies { get; } = [];

    /// <summary>The session cookie, which all gateways share like one host.</summary>
    public string? Session
    {
        get => _cookies.GetValueOrDefault(("gateway", SessionCookie)); set =>
        _cookies[("gateway", SessionCookie)] = value!;
    }

    /// <summary>Logs in, and returns the gateway's final answer.</summary>
    /// <param name="callback">
    /// The gateway that receives the callback, as behind a load balancer, or null for the same one.
    /// </param>
    public async Task<HttpResponseMessage> LogInAsync(
        IdentityProvider provider, Uri gateway, string user = "alice", string query = "?returnUrl=/app",
        Uri? callback = null)
    {
        using var sent = await GetAsync(new Uri(gateway, "bff/login" + query));
        Assert.True(sent.StatusCode == HttpStatusCode.Redirect,
            await sent.Content.ReadAsStringAsync(World.Cancellation));
        var back = await AuthorizeAsync(provider, sent.Headers.Location!, user);
        return await GetAsync(callback is null ? back : new Uri(callback, back.PathAndQuery));
    }

    /// <summary>Signs in at the provider.</summary>
    /// <returns>The address that the provider redirects to.</returns>
    public async Task<Uri> AuthorizeAsync(IdentityProvider provider, Uri authorize, string user)
    {
        Assert.Equal(provider.Address.Authority, authorize.Authority);
        using var page = await GetAsync(authorize);
        if (page.StatusCode == HttpStatusCode.Redirect) return page.Headers.Location!;
        var html = await page.Content.ReadAsStringAsync(World.Cancellation);
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["user"] = user,
            ["return"] = WebUtility.HtmlDecode(html.Split("name=\"return\" value=\"")[1].Split('"')[0]),
        });
        using var signedIn = await SendAsync(
            HttpMethod.Post, new Uri(provider.Address, Endpoint.SignIn.TrimStart('/')), form);
        using var answer = await GetAsync(new Uri(provider.Address, signedIn.Headers.Location!));
        return answer.Headers.Location!;
    }

    public Task<HttpResponseMessage> GetAsync(Uri address, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Get, address, null, headers);

    /// <summary>Sends a request like a script of the page.</summary>
    public Task<HttpResponseMessage> FetchAsync(Uri gateway, string path, HttpMethod? method = null) =>
        SendAsync(method ?? HttpMethod.Get, new Uri(gateway, path), null, ("X-CSRF", "1"));

    public Task<HttpResponseMessage> JobAsync(Uri gateway, string workflow = "survey-1", string job = "finished-1") =>
        FetchAsync(gateway, $"v0/workflows/{workflow}/jobs/{job}");

    public async Task<HttpStatusCode> StatusAsync(Uri gateway, string workflow = "survey-1")
    {
        using var answer = await JobAsync(gateway, workflow);
        return answer.StatusCode;
    }

    public async Task<JsonElement> LogOutAsync(Uri gateway, string query = "")
    {
        using var answer = await FetchAsync(gateway, "bff/logout" + query, HttpMethod.Post);
        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, body);
        return JsonElement.Parse(body);
    }

    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Uri address, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, address) { Content = content };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        var host = HostOf(address);
        var cookies = string.Join("; ", _cookies.Where(cookie => cookie.Key.Host == host)
            .Select(cookie => $"{cookie.Key.Name}={cookie.Value}"));
        if (cookies.Length > 0) request.Headers.Add("Cookie", cookies);
        var answer = await _client.SendAsync(request, World.Cancellation);
        foreach (var line in answer.Headers.TryGetValues("Set-Cookie", out var lines) ? lines : []) Keep(host, line);
        return answer;
    }

    /// <summary>Deletes the provider's cookies, so that another user can log in.</summary>
    public void ForgetProvider()
    {
        foreach (var name in _cookies.Keys.Where(name => name.Host == "provider").ToList()) _cookies.Remove(name);
    }

    public void Dispose() => _client.Dispose();

    private void Keep(string host, string line)
    {
        SetCookies.Add(line);
        var (name, value) = (line.Split('=')[0], line.Split('=', 2)[1].Split(';')[0]);
        if (value.Length == 0) _cookies.Remove((host, name));
        else _cookies[(host, name)] = value;
    }

    // The provider's cookies have its port in their names.
    private string HostOf(Uri address) => _providers.Contains(address.Authority) ? "provider" : "gateway";

    private readonly HashSet<string> _providers = [];

    /// <summary>Creates a visitor that treats every other host than the provider's as a gateway.</summary>
    public static Visitor Of(IdentityProvider provider) => Of(provider.Address);

    /// <summary>Creates a visitor that treats every other host than this one as a gateway.</summary>
    public static Visitor Of(Uri provider)
    {
        var visitor = new Visitor();
        visitor._providers.Add(provider.Authority);
        return visitor;
    }
}
