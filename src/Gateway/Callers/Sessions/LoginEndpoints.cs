using System.Net;
using Gateway.Problems;
using Gateway.Redis;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Gateway.Callers.Sessions;

/// <summary>
/// The two endpoints of a login, to which browsers navigate: its beginning, and the provider's response.
/// </summary>
internal sealed class LoginEndpoints(
    SessionStore sessions, FetchOrder order, LoginLimits limits, LoginResults results, Audit audit,
    IOptionsMonitor<OpenIdConnectOptions> login, IOptionsMonitor<OriginOptions> cors,
    IAuthenticationHandlerProvider handlers)
{
    /// <summary>Sends the browser to the identity provider.</summary>
    /// <param name="returnUrl">The address after the login; null: the gateway's root.</param>
    /// <param name="onError"><c>return</c>: a login that fails also ends at the return address.</param>
    public async Task BeginAsync(HttpContext http, string? returnUrl, string? onError)
    {
        http.Response.Headers.CacheControl = "no-store";
        if (ReturnUrl.Check(returnUrl, ReturnUrl.Root(http), cors.CurrentValue) is not { } safe)
        {
            audit.Refuse(http, actor: null, Audit.Login, "session", ReturnUrl.NotAllowed.Type.Slug);
            await ReturnUrl.NotAllowed.WriteAsync(http);
            return;
        }
        var state = LoginResults.NewState(safe, onError);
        if (sessions.IsAway) await RefuseAsync(http, Challenge.For(Refusal.SessionsAway), state);
        else if (limits.Begin(http) is { } tooMany) await RefuseAsync(http, tooMany, state);
        else if (ProxyProblem(http) is { } failure) await results.FailAsync(http, failure, state);
        else await results.BeginAsync(http, state);
    }

    /// <summary>Passes the provider's response to the OpenID Connect handler.</summary>
    public async Task EndAsync(HttpContext http)
    {
        http.Response.Headers.CacheControl = "no-store";
        http.Items[Login.Began] = order.NextFetch(0);
        if (sessions.IsAway) await RefuseAsync(http, Challenge.For(Refusal.SessionsAway), StateOf(http));
        else if (limits.ComeBack(http) is { } tooMany) await RefuseAsync(http, tooMany, StateOf(http));
        else if (await handlers.GetHandlerAsync(http, Login.Scheme) is not IAuthenticationRequestHandler handler
            || !await handler.HandleRequestAsync()) await results.FailAsync(http, LoginFailure.Unknown, state: null);
    }

    private Task RefuseAsync(HttpContext http, Problem problem, AuthenticationProperties? state)
    {
        audit.Refuse(http, actor: null, Audit.Login, "session", problem.Type.Slug);
        return results.WriteAsync(http, problem, state);
    }

    // Before the handler reads it, the state only decides where the browser goes on.
    private AuthenticationProperties? StateOf(HttpContext http) =>
        http.Request.Query["state"] is [{ Length: > 0 } state]
            ? login.Get(Login.Scheme).StateDataFormat.Unprotect(state) : null;

    /// <summary>
    /// Finds out that browsers reach the gateway by another address than the gateway knows. The provider would refuse
    /// the gateway's redirect address, and browsers would refuse its cookies.
    /// </summary>
    private static LoginFailure? ProxyProblem(HttpContext http)
    {
        var request = http.Request;
        // The framework has removed the headers of known proxies.
        string scheme = First(request, ForwardedHeadersDefaults.XForwardedProtoHeaderName),
            host = First(request, ForwardedHeadersDefaults.XForwardedHostHeaderName);
        var proxy = http.Connection.RemoteIpAddress;
        if (scheme.Equals("https", StringComparison.OrdinalIgnoreCase) && !request.IsHttps)
        {
            return LoginFailure.OfConfiguration(
                $"the proxy {proxy} says that the browser uses https, and is not known, or its host not allowed",
                "ForwardedHeaders:KnownProxies, ForwardedHeaders:ForwardLimit and AllowedHosts");
        }
        if (host.Length > 0 && !IsSame(new HostString(host), request.Host, scheme.Length > 0 ? scheme : request.Scheme))
        {
            return LoginFailure.OfConfiguration(
                $"the proxy {proxy} says that the browser uses another host, and is not known, or the host not allowed",
                "ForwardedHeaders:KnownProxies, ForwardedHeaders:ForwardLimit and AllowedHosts");
        }
        return request.IsHttps || IsLoopback(request.Host.Host) ? null : LoginFailure.OfConfiguration(
            "the browser does not use https, and would refuse the gateway's cookies",
            "the address of the gateway, and ForwardedHeaders:KnownProxies if a proxy ends TLS");
    }

    private static string First(HttpRequest request, string header) =>
        request.Headers[header] is [{ } value, ..] ? value.Split(',')[0].Trim() : "";

    // A host without a port has the default port of its scheme (RFC 9110, section 4.2).
    private static bool IsSame(HostString one, HostString other, string scheme)
    {
        var port = scheme.Equals("https", StringComparison.OrdinalIgnoreCase) ? 443 : 80;
        return one.Host.Equals(other.Host, StringComparison.OrdinalIgnoreCase)
            && (one.Port ?? port) == (other.Port ?? port);
    }

    // Browsers treat these hosts as secure (Secure Contexts, section 3.1).
    private static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
