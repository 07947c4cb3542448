using System.Globalization;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>
/// The provider's own decisions: who the user is, and which claims are issued. OpenIddict has validated each request.
/// </summary>
internal sealed class IdentityEndpoints(IdentityProvider provider)
{
    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    // Cookies are shared by all ports of a host, so the name contains the port.
    private string Cookie => string.Create(CultureInfo.InvariantCulture, $"login-{provider.Address.Port}");

    public void Map(WebApplication app)
    {
        app.MapMethods(Endpoint.Authorization, ["GET", "POST"], AuthorizeAsync);
        app.MapPost(Endpoint.SignIn, SignInAsync);
        app.MapPost(Endpoint.Token, TokenAsync);
        app.MapMethods(Endpoint.UserInfo, ["GET", "POST"], UserInfoAsync);
        app.MapMethods(Endpoint.EndSession, ["GET", "POST"], EndSessionAsync);
    }

    private async Task AuthorizeAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        var mustAsk = request.HasPromptValue(PromptValues.Login);
        if (!mustAsk && provider.Logins.TryGet(context.Request.Cookies[Cookie], out var login) &&
            provider.Users.TryGetValue(login.User, out var user))
            await context.SignInAsync(Scheme, Principals.Of(user, login.Session, request.GetScopes()));
        else if (request.HasPromptValue(PromptValues.None))
            await RefuseAsync(context, Errors.LoginRequired, "Nobody is signed in.");
        else
            await LoginPage.ShowAsync(context, Again(request), "");
    }

    /// <summary>The same authorization request without its prompt.</summary>
    private static string Again(OpenIddictRequest request)
    {
        var parameters = request.GetParameters().Where(parameter => parameter.Key != Parameters.Prompt);
        return QueryHelpers.AddQueryString(
            Endpoint.Authorization, parameters.Select(p => KeyValuePair.Create(p.Key, (string?)p.Value)));
    }

    private async Task SignInAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        var (user, back) = (form["user"].ToString(), form["return"].ToString());
        if (!back.StartsWith(Endpoint.Authorization + "?", StringComparison.Ordinal))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
        }
        else if (!provider.Users.ContainsKey(user))
        {
            await LoginPage.ShowAsync(context, back, "There is no such user.");
        }
        else
        {
            context.Response.Cookies.Append(
                Cookie, provider.Logins.Add(user), new() { HttpOnly = true, SameSite = SameSiteMode.Lax });
            context.Response.Redirect(back);
        }
    }

    private async Task TokenAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        if (request.IsClientCredentialsGrantType())
        {
            await context.SignInAsync(Scheme, Principals.OfService(provider.ServiceGroups, request.GetScopes()));
            return;
        }
        var granted = (await context.AuthenticateAsync(Scheme)).Principal!;
        var user = provider.Users.Values.FirstOrDefault(user => user.Subject == granted.GetClaim(Claims.Subject));
        var session = granted.GetClaim("sid");
        if (!provider.Ledger.Spend((request.IsRefreshTokenGrantType() ? request.RefreshToken : request.Code)!))
            await RefuseAsync(context, Errors.InvalidGrant, "That was good once.");
        else if (user is null || !provider.Logins.IsActive(session))
            await RefuseAsync(context, Errors.InvalidGrant, "That session has ended.");
        else
            await context.SignInAsync(Scheme, Principals.Of(user, session!, granted.GetScopes()));
    }

    private async Task UserInfoAsync(HttpContext context)
    {
        var subject = (await context.AuthenticateAsync(Scheme)).Principal?.GetClaim(Claims.Subject);
        if (provider.Users.Values.FirstOrDefault(user => user.Subject == subject) is not { } user)
        {
            await context.ChallengeAsync(Scheme);
            return;
        }
        var claims = new Dictionary<string, object>
        {
            [Claims.Subject] = user.Subject,
            [Claims.Name] = user.FullName,
            [Claims.PreferredUsername] = user.Name,
            [Claims.Email] = user.Email,
            ["groups"] = user.Groups,
        };
        foreach (var (claim, value) in provider.UserInfo) claims[claim] = value;
        await context.Response.WriteAsJsonAsync(claims);
    }

    private async Task EndSessionAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        var session = provider.Logins.TryGet(context.Request.Cookies[Cookie], out var login) ? login.Session
            : (await context.AuthenticateAsync(Scheme)).Principal?.GetClaim("sid");
        provider.Ledger.Add(new(request.IdTokenHint, request.PostLogoutRedirectUri, request.State, session));
        provider.Logins.End(one => one.Session == session);
        context.Response.Cookies.Delete(Cookie);
        if (request.PostLogoutRedirectUri is { Length: > 0 }) await context.SignOutAsync(Scheme);
        else await LoginPage.ShowMessageAsync(context, "You are signed out.");
    }

    private static Task RefuseAsync(HttpContext context, string error, string description) =>
        context.ForbidAsync(Scheme, new AuthenticationProperties(new Dictionary<string, string?>
        {
            [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
            [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
        }));
}
