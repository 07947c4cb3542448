using System.Net;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>The provider's login page, with the elements <c>#user</c>, <c>#sign-in</c> and <c>#message</c>.</summary>
internal static class LoginPage
{
    /// <param name="back">The address to return to after the login.</param>
    public static Task ShowAsync(HttpContext context, string back, string message) => WriteAsync(context, $"""
        <form method="post" action="{Endpoint.SignIn}">
        <p id="message">{WebUtility.HtmlEncode(message)}</p>
        <input type="hidden" name="return" value="{WebUtility.HtmlEncode(back)}">
        <label>User <input id="user" name="user" autocomplete="off"></label>
        <button id="sign-in">Sign in</button>
        </form>
        """);

    public static Task ShowMessageAsync(HttpContext context, string message) =>
        WriteAsync(context, $"""<p id="message">{WebUtility.HtmlEncode(message)}</p>""");

    private static Task WriteAsync(HttpContext context, string body)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        // The icon link keeps the browser from requesting one.
        return context.Response.WriteAsync($"""
            <!doctype html><html lang="en"><head><title>Identity provider</title><link rel="icon" href="data:,"></head>
            <body>{body}</body></html>
            """);
    }
}
