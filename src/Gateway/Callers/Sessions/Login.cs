using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Callers.Tokens;
using Gateway.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Sets up ASP.NET Core's OpenID Connect handler: authorization code with PKCE, state and nonce, as a confidential
/// client (RFC 9700, section 2.1). A successful login becomes a session with the claims of the ID token and of the user
/// info. The gateway needs no access token and drops it.
/// </summary>
internal sealed class Login(
    IOptionsMonitor<AuthenticationOptions> options, ProviderOfSessions provider, ClientAuthentication client,
    SessionStore sessions, SessionIds ids, SessionTokens tokens, TokenRevocation revocation, LoginResults results,
    Audit audit, TimeProvider clock)
    : IConfigureNamedOptions<OpenIdConnectOptions>
{
    public const string Scheme = "oidc", CallbackPath = "/bff/callback", LoggedOutPath = "/bff/logged-out";

    /// <summary>
    /// The request item with the order number of the login's callback, by which logouts are compared with it.
    /// </summary>
    public const string Began = "login-began";

    private const string UserInfo = "user-info", RefreshToken = "refresh";

    private OidcOptions Options => options.CurrentValue.Oidc;

    private TimeSpan ClockSkew => options.CurrentValue.ClockSkewInForce;

    public void Configure(OpenIdConnectOptions options) => Configure(Scheme, options);

    public void Configure(string? name, OpenIdConnectOptions options)
    {
        options.ConfigurationManager = provider.Configuration;
        options.ClientId = Options.ClientId;
        // The gateway signs in itself. If unset, the handler would be its own sign-in scheme and call itself for ever.
        options.SignInScheme = options.SignOutScheme = "none";
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.ResponseMode = OpenIdConnectResponseMode.Query;
        options.UsePkce = true;
        options.Scope.Clear();
        foreach (var scope in Options.ScopesInForce) options.Scope.Add(scope);
        options.CallbackPath = CallbackPath;
        options.SignedOutCallbackPath = LoggedOutPath;
        options.GetClaimsFromUserInfoEndpoint = Options.UserInfo;
        options.MapInboundClaims = false;
        options.SaveTokens = false;
        options.DisableTelemetry = true;
        options.BackchannelTimeout = TimeSpan.FromSeconds(5);
        options.BackchannelHttpHandler = provider.NewHandler();
        options.TokenHandler = new RollOver(provider.Configuration);
        options.TokenValidationParameters.ValidAlgorithms = TokenVerifier.Algorithms;
        // The state holds the nonce, so that it needs no cookie. The ID token must still have it.
        options.ProtocolValidator.RequireNonce = false;
        options.TokenValidationParameters.LifetimeValidator =
            TokenVerifier.Lifetime(ClockSkew, clock);
        options.Events = new OpenIdConnectEvents
        {
            OnRedirectToIdentityProvider = PrepareAsync,
            OnMessageReceived = CheckIssuer,
            OnAuthorizationCodeReceived = AuthenticateAsync,
            OnUserInformationReceived = KeepUserInfo,
            OnTokenValidated = KeepToken,
            OnTicketReceived = StartSessionAsync,
            OnRemoteFailure = results.FailAsync,
            OnPushAuthorization = AuthenticateAsync,
        };
    }

    private async Task PrepareAsync(RedirectContext context)
    {
        ProviderOfSessions.CheckAlgorithms(await ConfigurationAsync(context.HttpContext));
        LoginHandler.AddNonce(context);
    }

    // RFC 9207, section 2.4.
    private async Task CheckIssuer(MessageReceivedContext context)
    {
        var known = await ConfigurationAsync(context.HttpContext);
        var issuer = context.ProtocolMessage.Iss;
        if (string.IsNullOrEmpty(issuer) ? known.AuthorizationResponseIssParameterSupported : issuer != known.Issuer)
        {
            context.Fail(new OpenIdConnectProtocolException(
                "The response has the issuer of another provider, or none."));
        }
    }

    private async Task AuthenticateAsync(AuthorizationCodeReceivedContext context) =>
        client.AddTo(context.TokenEndpointRequest!, await ConfigurationAsync(context.HttpContext));

    private async Task AuthenticateAsync(PushedAuthorizationContext context) =>
        client.AddTo(context.ProtocolMessage, await ConfigurationAsync(context.HttpContext));

    private static Task KeepUserInfo(UserInformationReceivedContext context)
    {
        context.Properties!.SetParameter(UserInfo, context.User.RootElement.GetRawText());
        return Task.CompletedTask;
    }

    private static Task KeepToken(TokenValidatedContext context)
    {
        context.Properties!.SetParameter(OpenIdConnectParameterNames.IdToken,
            context.TokenEndpointResponse?.IdToken ?? context.ProtocolMessage.IdToken);
        context.Properties.SetParameter(RefreshToken, context.TokenEndpointResponse?.RefreshToken);
        context.Nonce = LoginHandler.NonceOf(context.Properties);
        return Task.CompletedTask;
    }

    private async Task StartSessionAsync(TicketReceivedContext context)
    {
        var token = context.Properties!.GetParameter<string>(OpenIdConnectParameterNames.IdToken)!;
        var (claims, userInfo) = Claims(token, context.Properties.GetParameter<string>(UserInfo));
        var now = clock.GetUtcNow();
        var issuer = (await ConfigurationAsync(context.HttpContext)).Issuer;
        var began = (long)context.HttpContext.Items[Began]!;
        var refreshToken = context.Properties.GetParameter<string>(RefreshToken);
        var isChecked = Options.RecheckInterval > TimeSpan.Zero;
        context.HandleResponse();
        if (isChecked && string.IsNullOrEmpty(refreshToken))
        {
            await results.FailAsync(context.HttpContext, LoginFailure.OfConfiguration(
                "the provider gave no refresh token, which Authentication:Oidc:RecheckInterval needs",
                "Authentication:Oidc:Scopes, which may have to contain offline_access, and the client at the provider"),
                context.Properties);
            return;
        }
        var session = new Session(issuer, claims, began, now + Options.AbsoluteLifetime,
            Options.IdTokenHint ? tokens.Protect(token) : null,
            isChecked ? tokens.Protect(refreshToken!) : null, isChecked ? now : null,
            isChecked ? userInfo : null);
        var id = ids.New();
        var refusal = await sessions.StartAsync(id, session);
        if (refusal != Refusal.None)
        {
            var problem = refusal == Refusal.SessionsAway
                ? Challenge.For(refusal)
                : new Problem(CallerProblems.LoginFailed, "The identity provider has ended this login.");
            audit.Note(context.HttpContext, session.ClaimSet().Subject, Audit.Login, issuer, problem.Type.Slug);
            await results.WriteAsync(context.HttpContext, problem, context.Properties);
            return;
        }
        await ReplaceAsync(context.HttpContext, KeyHash.Of(id), session);
        SessionCookie.Set(context.Response, id);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Redirect(context.ReturnUri!);
        audit.Note(context.HttpContext, session.ClaimSet().Subject, Audit.Login, issuer);
    }

    /// <summary>Ends the browser's session before this login, whose cookie the new one replaces.</summary>
    private async Task ReplaceAsync(HttpContext http, KeyHash name, Session session)
    {
        var cookie = LoginCookie.Read(http.Request) ?? LoginCookie.New();
        if (cookie.Session is { } before)
        {
            var (ended, _) = await sessions.ReadAgainAsync(before);
            await sessions.EndAsync(before);
            // A revocation may end a grant (RFC 7009, section 2.1) that several logins of a user share.
            if (ended is not null && ended.ClaimSet().Subject != session.ClaimSet().Subject) revocation.Revoke(ended);
        }
        (cookie with { Session = name }).Write(http.Response);
    }

    private Task<OpenIdConnectConfiguration> ConfigurationAsync(HttpContext http) =>
        provider.Configuration.GetConfigurationAsync(http.RequestAborted);

    private static (JsonElement Claims, string[]? Added) Claims(string token, string? userInfo)
    {
        var claims = JsonElement.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]));
        return LoginClaims.Merge(claims, userInfo is null ? [] : JsonNode.Parse(userInfo)!.AsObject());
    }
}
