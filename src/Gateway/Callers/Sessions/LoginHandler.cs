using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// ASP.NET Core's OpenID Connect handler with one cookie for all logins of a browser. The handler's own two cookies for
/// each login would add up, until a proxy refuses the head of the request or of the response. What they held is in the
/// state, which only the gateway can read. The handler itself logs nothing, because its lines contain codes;
/// <see cref="LoginResults"/> logs each failure.
/// </summary>
internal sealed class LoginHandler(
    IOptionsMonitor<OpenIdConnectOptions> options, HtmlEncoder html, UrlEncoder url)
    : OpenIdConnectHandler(options, NullLoggerFactory.Instance, html, url)
{
    /// <summary>The request item that says that a login in time was begun by another browser.</summary>
    public const string OtherBrowser = "login-other-browser";

    private const string Browser = "browser", Nonce = "nonce";

    /// <summary>Adds a nonce to an authorization request, and keeps it in the state.</summary>
    public static void AddNonce(RedirectContext context)
    {
        var nonce = context.Options.ProtocolValidator.GenerateNonce();
        context.ProtocolMessage.Nonce = context.Properties.Items[Nonce] = nonce;
    }

    /// <summary>The nonce that the ID token must have.</summary>
    public static string? NonceOf(AuthenticationProperties state) =>
        state.Items.TryGetValue(Nonce, out var nonce) ? nonce : null;

    protected override void GenerateCorrelationId(AuthenticationProperties properties)
    {
        var cookie = LoginCookie.Read(Request) ?? LoginCookie.New();
        properties.Items[Browser] = cookie.Browser;
        properties.ExpiresUtc = TimeProvider.GetUtcNow() + LoginCookie.LongestLogin;
        cookie.Write(Response);
    }

    protected override bool ValidateCorrelationId(AuthenticationProperties properties)
    {
        if (!properties.Items.TryGetValue(Browser, out var began) || began is null
            || !(properties.ExpiresUtc > TimeProvider.GetUtcNow())) return false;
        if (LoginCookie.Read(Request) is { } cookie && IsSame(began, cookie.Browser)) return true;
        Context.Items[OtherBrowser] = true;
        return false;
    }

    private static bool IsSame(string one, string other) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(one), Encoding.ASCII.GetBytes(other));
}
