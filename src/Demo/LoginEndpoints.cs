using System.Net;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.JsonWebTokens;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Demo;

/// <summary>
/// What the provider decides itself: which user was chosen, and with which claims. OpenIddict has checked each request.
/// </summary>
internal static class LoginEndpoints
{
    public const string Discovery = "/.well-known/openid-configuration", Keys = "/keys", Authorization = "/authorize",
        Token = "/token", UserInfo = "/userinfo", EndSession = "/end-session";

    // The parameter that the links of the page add to the authorization request. No user has the name of Cancel.
    private const string Choice = "choice", Cancel = "-";

    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    public static void Map(WebApplication app, LoginProvider provider)
    {
        app.MapGet(Authorization, AuthorizeAsync);
        app.MapPost(Token, http => ExchangeAsync(http, provider));
        app.MapGet(UserInfo, TellAsync);
        // There is no session to end: the page asks for the user each time.
        app.MapGet(EndSession, http => http.SignOutAsync(Scheme));
        app.MapGet("/style.css", http =>
            LoopbackServer.WriteAsync(http, "text/css", LoopbackServer.Text("style.css"), ""));
    }

    private static Task AuthorizeAsync(HttpContext http)
    {
        var request = http.GetOpenIddictServerRequest()!;
        var choice = http.Request.Query[Choice].ToString();
        if (DemoUser.Find(choice) is { } user) return http.SignInAsync(Scheme, Principal(user, request.GetScopes()));
        if (choice == Cancel) return RefuseAsync(http, Errors.AccessDenied, "The user has cancelled the login.");
        return request.HasPromptValue(PromptValues.None)
            ? RefuseAsync(http, Errors.LoginRequired, "The user must choose.") : AskAsync(http);
    }

    private static async Task ExchangeAsync(HttpContext http, LoginProvider provider)
    {
        var granted = (await http.AuthenticateAsync(Scheme)).Principal!;
        if (!provider.Spend(http.GetOpenIddictServerRequest()!.Code!)
            || DemoUser.Find(granted.GetClaim(Claims.Subject)) is not { } user)
        {
            await RefuseAsync(http, Errors.InvalidGrant, "The code was used before.");
            return;
        }
        await http.SignInAsync(Scheme, Principal(user, granted.GetScopes()));
    }

    private static async Task TellAsync(HttpContext http)
    {
        var subject = (await http.AuthenticateAsync(Scheme)).Principal?.GetClaim(Claims.Subject);
        if (DemoUser.Find(subject) is not { } user)
        {
            await http.ChallengeAsync(Scheme);
            return;
        }
        await http.Response.WriteAsJsonAsync(new Dictionary<string, object>
        {
            [Claims.Subject] = user.Id,
            [Claims.Name] = user.Name,
            [Claims.PreferredUsername] = user.Id,
            [DemoUser.GroupsClaim] = user.Groups,
        }, http.RequestAborted);
    }

    private static ClaimsPrincipal Principal(DemoUser user, IEnumerable<string> scopes)
    {
        var identity = new ClaimsIdentity("demo").SetClaim(Claims.Subject, user.Id).SetClaim(Claims.Name, user.Name)
            .SetClaim(Claims.PreferredUsername, user.Id).SetScopes(scopes);
        identity.AddClaim(new Claim(
            DemoUser.GroupsClaim, JsonSerializer.Serialize(user.Groups), JsonClaimValueTypes.JsonArray));
        identity.SetDestinations(_ => [Destinations.IdentityToken]);
        return new ClaimsPrincipal(identity);
    }

    // Links, because a policy for forms would also have to allow the redirect to the gateway.
    private static Task AskAsync(HttpContext http)
    {
        var users = string.Concat(DemoUser.All.Select(user =>
            $"<li><a id=\"{user.Id}\" href=\"{Again(user.Id)}\">{user.Name}</a>, a member of {user.Groups[0]}</li>\n"));
        return LoopbackServer.WriteAsync(http, "text/html", $"""
            <!doctype html>
            <html lang="en">
            <head><title>Log in to the demo</title><meta name="viewport" content="width=device-width">
            <link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,"></head>
            <body><main>
            <h1>Log in to the demo</h1>
            <p>This provider belongs to the demo, and asks for no password. Who are you?</p>
            <ul class="choices">
            {users}</ul>
            <p><a id="cancel" href="{Again(Cancel)}">Cancel</a></p>
            </main></body>
            </html>
            """, "style-src 'self'; img-src data:");

        string Again(string choice) => WebUtility.HtmlEncode(
            QueryHelpers.AddQueryString($"{http.Request.Path}{http.Request.QueryString}", Choice, choice));
    }

    private static Task RefuseAsync(HttpContext http, string error, string description) =>
        http.ForbidAsync(Scheme, new AuthenticationProperties(new Dictionary<string, string?>
        {
            [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
            [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
        }));
}
