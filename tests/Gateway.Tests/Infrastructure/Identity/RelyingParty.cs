using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>A client of a provider with its own browser, which does only what a test requests.</summary>
internal sealed class RelyingParty(IdentityProvider provider, Uri redirectUri) : IDisposable
{
    private const string Verifier = "a-verifier-of-forty-three-characters-or-more-0123456789";

    private readonly HttpClient _client = new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        BaseAddress = provider.Address,
    };

    /// <summary>The parameters of a valid authorization request.</summary>
    public Dictionary<string, string?> Request() => new()
    {
        ["client_id"] = IdentityProvider.ClientId,
        ["redirect_uri"] = redirectUri.AbsoluteUri,
        ["response_type"] = "code",
        ["scope"] = "openid profile email offline_access",
        ["state"] = "a-state",
        ["nonce"] = "a-nonce",
        ["code_challenge"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier))),
        ["code_challenge_method"] = "S256",
    };

    public static string Url(Dictionary<string, string?> request) =>
        QueryHelpers.AddQueryString(Endpoint.Authorization, request);

    public Task<HttpResponseMessage> GetAsync(string url) =>
        _client.GetAsync(new Uri(url, UriKind.RelativeOrAbsolute), World.Cancellation);

    public async Task<HttpResponseMessage> PostAsync(string path, Dictionary<string, string> form)
    {
        using var content = new FormUrlEncodedContent(form);
        return await _client.PostAsync(new Uri(path, UriKind.Relative), content, World.Cancellation);
    }

    /// <summary>
    /// Submits a user name on the login page, and follows redirects back to the client.
    /// </summary>
    public async Task<string> CodeAsync(string user)
    {
        using var page = await GetAsync(Url(Request()));
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        var html = await page.Content.ReadAsStringAsync(World.Cancellation);
        var back = WebUtility.HtmlDecode(html.Split("name=\"return\" value=\"")[1].Split('"')[0]);
        using var signedIn = await PostAsync(Endpoint.SignIn, new() { ["user"] = user, ["return"] = back });
        Assert.Equal(HttpStatusCode.Redirect, signedIn.StatusCode);
        using var answer = await GetAsync(signedIn.Headers.Location!.ToString());
        return CodeOf(answer);
    }

    public string CodeOf(HttpResponseMessage answer)
    {
        Assert.True(answer.StatusCode == HttpStatusCode.Redirect, string.Join('\n', provider.Log.All));
        var location = answer.Headers.Location!;
        Assert.Equal(redirectUri.AbsoluteUri, location.GetLeftPart(UriPartial.Path));
        var query = QueryHelpers.ParseQuery(location.Query);
        Assert.Equal("a-state", query["state"]);
        return query["code"].ToString();
    }

    public Task<(HttpStatusCode Status, JsonElement Body)> RedeemAsync(
        string code, string verifier = Verifier, string secret = IdentityProvider.ClientSecret) => TokenAsync(new()
        {
            ["client_secret"] = secret,
            ["grant_type"] = "authorization_code",
            ["code"] = code,
            ["redirect_uri"] = redirectUri.AbsoluteUri,
            ["code_verifier"] = verifier,
        });

    public Task<(HttpStatusCode Status, JsonElement Body)> RefreshAsync(string refreshToken) =>
        TokenAsync(new() { ["grant_type"] = "refresh_token", ["refresh_token"] = refreshToken });

    /// <summary>Sends a token request with the client's credentials, unless the form has others.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> TokenAsync(Dictionary<string, string> form)
    {
        form.TryAdd("client_id", IdentityProvider.ClientId);
        form.TryAdd("client_secret", IdentityProvider.ClientSecret);
        using var answer = await PostAsync(Endpoint.Token, form);
        return (answer.StatusCode, await JsonAsync(answer));
    }

    public async Task<JsonElement> JsonAsync(string path)
    {
        using var answer = await GetAsync(path);
        return await JsonAsync(answer);
    }

    public void Dispose() => _client.Dispose();

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage answer) =>
        JsonElement.Parse(await answer.Content.ReadAsStringAsync(World.Cancellation));
}
